"""One module per verb; `stylekit a b` is a_b."""
