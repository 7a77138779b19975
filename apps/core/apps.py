"""Registers the app."""

from django.apps import AppConfig


class Core(AppConfig):
    """The shared ground."""

    name = "apps.core"
