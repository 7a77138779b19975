"""Evidence as bytes: what they are, what can be counted in them, and where they are kept."""
