"""The pipeline of what costs a credit, and the look-ups that stand on it."""
