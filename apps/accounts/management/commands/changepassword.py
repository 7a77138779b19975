"""Stands in place of Django's command, which would let one person sign as another without a trace in the stream."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Refuse, and name the recorded way."""

    help = __doc__

    def run_from_argv(self, argv: list[str]) -> None:
        """Whatever Django's own command would take is answered the same."""
        super().run_from_argv(argv[:2])

    def handle(self, *_args: object, **_options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Raise the refusal."""
        raise CommandError(
            "Nobody sets another's password unrecorded. An administrator makes a one-time link on the person's page; "
            "manage.py create_administrator is the way back in for an administrator."
        )
