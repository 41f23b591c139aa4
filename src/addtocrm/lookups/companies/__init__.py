"""Companies and their look-up."""
