"""`manage.py demo`: plays the story of the main job against the running system, then leaves it running."""

import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from changecontrol.demo.places import SITES, free_port, stop_sites
from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.cluster import DATABASE
from changecontrol.embedded.keeper import Interrupted
from changecontrol.embedded.places import open_folder
from changecontrol.embedded.postgres import PrivatePostgres
from changecontrol.embedded.supervisor import Supervisor


class Command(BaseCommand):
    """Start everything under demo/ of VAR_DIR, play the story, print the address and the sign-ins."""

    help = "Plays the story of the main job against a private running system, then leaves the site running."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --once."""
        parser.add_argument("--once", action="store_true", help="stop after the story; exit code 0 only if every step happened")

    def handle(self, *_args: object, **options: object) -> None:
        """Start anew, play, and go on until Ctrl-C unless told otherwise."""
        home = settings.VAR_DIR / "demo"  # its own folder: what it clears is never an installation
        try:
            clear(home)
            code = self.run(home, once=bool(options["once"]))
        except Interrupted:
            code = 130
        except (EmbeddedError, OSError) as error:
            raise CommandError(str(error)) from error
        finally:
            stop_sites(home)
        sys.exit(code)

    def run(self, home: Path, *, once: bool) -> int:
        """Everything between the first and the last process."""
        self.stdout.write(f"Starting a private PostgreSQL, a private Valkey, web, worker and beat under {home} ...")
        began = time.monotonic()
        extra = {"ORGANISATION": "Saltmarsh Ferries"}
        with (
            (home / "processes.log").open("w") as log,
            Supervisor(home, bind=f"127.0.0.1:{free_port(8000)}", stream=log, extra=extra) as site,
        ):
            site.wait_ready()
            self.stdout.write(f"The site answers at {site.public_url} after {time.monotonic() - began:.0f} s.")
            play = [sys.executable, "manage.py", "play_story", site.public_url]
            code = subprocess.run(play, cwd=settings.BASE_DIR, env=site.environment(), check=False).returncode
            if code == 0 and not once:
                self.stdout.write("Ctrl-C stops everything.")
                site.wait()
            return code


def clear(home: Path) -> None:
    """Forget the last story. Its database server is asked to, not pulled away: it may still run if the last story was killed.

    It is asked in a new checkout too: as root the data may lie outside, where an earlier checkout at the same path left it."""
    stop_sites(home)
    open_folder(home)
    with PrivatePostgres(home / "postgres") as server:
        server.drop(DATABASE)
    for left in home.glob("audit*.jsonl"):
        left.unlink()
    for folder in ("keys", "repository", SITES, "mail"):
        shutil.rmtree(home / folder, ignore_errors=True)
