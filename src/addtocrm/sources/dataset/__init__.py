"""The operator's own people and companies: importing them from files."""
