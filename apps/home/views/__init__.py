"""Pages that show facts of many apps, a module per subject."""
