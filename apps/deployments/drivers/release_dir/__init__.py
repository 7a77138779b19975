"""Releases in directories on this machine: export, link, switch by one rename, restart, read back."""
