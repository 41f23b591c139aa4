"""What a request did, and that its Idempotency-Key is used, commit together."""
