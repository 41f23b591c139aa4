"""What people did that matters."""
