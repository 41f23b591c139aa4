"""The same thing at two sizes."""
