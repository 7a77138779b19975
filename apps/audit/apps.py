"""Registers the app and what is checked before production."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from apps.audit.checks import stream_is_guarded


class Audit(AppConfig):
    """The append-only stream: entries, seals, readers, verifier."""

    name = "apps.audit"

    def ready(self) -> None:
        """Check the roles with `check --deploy`."""
        register(stream_is_guarded, Tags.security, deploy=True)
