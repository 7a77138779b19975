"""Facts that pages show, gathered from many apps; nothing is decided here."""
