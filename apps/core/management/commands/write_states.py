"""`manage.py write_states`: draw docs/states.md from the tables; `--check` only says whether it is fresh."""

from argparse import ArgumentParser
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core.statecharts import page, tables_of


class Command(BaseCommand):
    """Write the page of states."""

    help = "Draw docs/states.md from the tables of states."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to write, and whether only to look."""
        parser.add_argument("--to", type=Path, default=settings.BASE_DIR / "docs" / "states.md", help="the file to write")
        parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is not fresh")

    def handle(self, *, to: Path, check: bool, **options: object) -> None:  # noqa: ARG002 - Django hands over every option
        """Write or compare."""
        drawn = page(table for config in apps.get_app_configs() if config.name.startswith("apps.") for table in tables_of(config.name))
        if not check:
            to.write_text(drawn)
        elif not to.is_file() or to.read_text() != drawn:
            raise CommandError(f"{to} is not fresh. Run `python manage.py write_states`.")
