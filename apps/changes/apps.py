"""Registers the app."""

from django.apps import AppConfig


class Changes(AppConfig):
    """Requests for change: revisions in five parts, items, legs, life cycle."""

    name = "apps.changes"
