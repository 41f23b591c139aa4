"""What an account has used."""
