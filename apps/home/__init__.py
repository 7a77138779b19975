"""Pages that show facts of many apps."""
