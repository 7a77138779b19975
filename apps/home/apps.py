"""Registers the app."""

from django.apps import AppConfig


class Home(AppConfig):
    """Pages that show facts of many apps."""

    name = "apps.home"
