"""What AddToCRM is held against."""
