"""The client for CI: one file that is served, copied and run alone."""
