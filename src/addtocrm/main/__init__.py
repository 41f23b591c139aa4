"""What runs, and the one place where rooms are joined."""
