"""How a version is brought to a target. A driver is chosen by name in the target's settings."""
