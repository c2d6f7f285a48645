"""A data module, a metric and a benchmark of somebody else."""
