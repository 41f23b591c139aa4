"""AddToCRM held against something else."""
