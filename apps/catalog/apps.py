"""Registers the app."""

from django.apps import AppConfig


class Catalog(AppConfig):
    """What can be changed: services, environments, targets and what runs there."""

    name = "apps.catalog"
