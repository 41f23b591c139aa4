"""What members sign in with besides a password."""
