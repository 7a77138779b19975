"""`manage.py up`: runs the whole system on this machine until Ctrl-C."""

import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.keeper import Interrupted
from changecontrol.embedded.supervisor import DEFAULT_BIND, Supervisor


class Command(BaseCommand):
    """Start PostgreSQL, Valkey, web, worker and beat, and keep them running."""

    help = "Runs the whole system: PostgreSQL, Valkey, web, worker and beat. Ctrl-C stops it."
    # The database that checks would ask does not run yet.
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the two options."""
        parser.add_argument("--bind", default=DEFAULT_BIND, metavar="HOST:PORT", help=f"where the site listens (default {DEFAULT_BIND})")
        parser.add_argument(
            "--var", type=Path, default=settings.VAR_DIR, metavar="DIR", help="where data, keys and sockets lie (default var/, or VAR_DIR)"
        )

    def handle(self, *_args: object, **options: object) -> None:
        """Run until Ctrl-C or SIGTERM."""
        try:
            with Supervisor(Path(str(options["var"])), bind=str(options["bind"]), stream=sys.stdout) as supervisor:
                supervisor.announce()
                supervisor.wait()
        except Interrupted:
            return
        except (EmbeddedError, OSError) as error:
            raise CommandError(str(error)) from error
