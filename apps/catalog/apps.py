"""Registers the app, and lets the pages about people name the services they own."""

from django.apps import AppConfig


class Catalog(AppConfig):
    """What can be changed: services, environments, targets and what runs there."""

    name = "apps.catalog"

    def ready(self) -> None:
        """Say above what stands below: the pages about people know no services."""
        from apps.accounts import owning  # noqa: PLC0415 - models are not loaded before this
        from apps.catalog.ownerships import owned_services  # noqa: PLC0415

        owning.register(owned_services)
