"""Registers the app."""

from django.apps import AppConfig


class Notifications(AppConfig):
    """Deliveries from the stream, mail and what people want to be told."""

    name = "apps.notifications"

    def ready(self) -> None:
        """Let the stream tell us what happened, right after it is sealed."""
        from apps.audit.followers import register  # noqa: PLC0415 - models are there only now
        from apps.notifications.following import follow_stream  # noqa: PLC0415

        register("notifications", follow_stream)
