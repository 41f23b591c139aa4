"""What an account's keys asked for, and what became of it."""
