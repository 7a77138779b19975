"""`manage.py play_story`: the story itself, played by `manage.py demo` against the system it started."""

from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from changecontrol.demo.story import play
from changecontrol.demo.telling import NotSo


class Command(BaseCommand):
    """Play the story; fail at the first step that does not happen."""

    help = "Plays the story against a running, empty installation. `manage.py demo` calls it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare where the site is."""
        parser.add_argument("base", help="the site's address")

    def handle(self, *_args: object, **options: object) -> None:
        """Play it."""
        try:
            play(str(options["base"]), home=Path(settings.VAR_DIR))
        except NotSo as error:
            raise CommandError(f"The story stops here: {error}") from error
