"""The append-only stream: entries, seals, readers, verifier."""
