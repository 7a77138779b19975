"""Requests for change: revisions in five parts, items, legs, life cycle."""
