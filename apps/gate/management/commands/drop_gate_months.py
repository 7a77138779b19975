"""Lets the gate's old answers go, by whole sealed months; DATABASE_OWNER_URL names the role that may."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import HOST
from apps.gate.retention import alone, drop_month, months_before, read_month


class Command(BaseCommand):
    """Drop every month before the one that is named."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Up to where, and whether to look only."""
        parser.add_argument("--before", required=True, metavar="YYYY-MM", help="the first month that stays")
        parser.add_argument("--dry-run", action="store_true", help="only say which months would go")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Drop them, the oldest first; one that fails leaves the later ones."""
        try:
            months = months_before(read_month(options["before"]))
            if options["dry_run"]:
                self.stdout.write("\n".join(f"{month} would go." for month in months) or "No month would go.")
                return
            with alone():
                for month in months:
                    drop_month(month, by=system(HOST))
                    self.stdout.write(f"{month} is dropped. The audit stream keeps the hash of each answer.")
        except (Refused, BadContent) as error:
            raise CommandError(str(error)) from error
        if not months:
            self.stdout.write("Nothing is older.")
