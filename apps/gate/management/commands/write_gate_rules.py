"""Writes docs/gate-rules.md from the table of rules."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.gate.documents import rules_page

PAGE = Path("docs") / "gate-rules.md"


class Command(BaseCommand):
    """Write the page about the gate's rules."""

    help = __doc__

    def handle(self, **_: object) -> None:
        """Write it."""
        (Path(settings.BASE_DIR) / PAGE).write_text(rules_page())
        self.stdout.write(f"Wrote {PAGE}.")
