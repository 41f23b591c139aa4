"""The pipeline of everything that costs a credit."""
