"""Registers the app, what listens to allauth and what the OpenAPI file says."""

from importlib import import_module

from django.apps import AppConfig
from django.core.checks import Tags, register


class Accounts(AppConfig):
    """People: persons, identities, teams, roles, sign-in, personal tokens."""

    name = "apps.accounts"

    def ready(self) -> None:
        """Load what works by being loaded."""
        import_module("apps.accounts.adapter")
        import_module("apps.accounts.schema")
        import_module("apps.accounts.witness")
        register(import_module("apps.accounts.checks").passkeys_fit_public_url, Tags.security, deploy=True)
