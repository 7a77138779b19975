"""Registers the app."""

from django.apps import AppConfig


class Incidents(AppConfig):
    """Something wrong for users: incidents and their timeline."""

    name = "apps.incidents"

    def ready(self) -> None:
        """Let the stream tell us what happened, right after it is sealed."""
        from apps.audit.followers import register  # noqa: PLC0415 - models are there only now
        from apps.incidents.opening import follow_stream  # noqa: PLC0415

        register("incidents", follow_stream)
