"""Stands in place of Django's command: there are no superusers here, only roles, and every grant of one is recorded."""

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
            "There are no superusers here. manage.py create_administrator makes an administrator, recorded in the audit stream."
        )
