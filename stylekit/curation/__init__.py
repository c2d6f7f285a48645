"""MegaStyle's data pipeline (arXiv 2604.08364, section 3): from image pools to a balanced style data set."""
