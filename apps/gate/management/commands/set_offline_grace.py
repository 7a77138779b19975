"""Says on the host for how long a yes of an environment permits a start while the installation is away; recorded."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.catalog.models import Environment
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import HOST
from apps.gate.grace import set_offline_grace


class Command(BaseCommand):
    """Set the offline grace of one environment."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, how long and why."""
        parser.add_argument("environment", help="short name of the environment")
        parser.add_argument("minutes", type=int, help="0 for never, 60 at most")
        parser.add_argument("--reason", required=True, help="why, for the audit stream")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Set it."""
        environment = Environment.objects.filter(slug=options["environment"], retired_at__isnull=True).first()
        if environment is None:
            raise CommandError(f"There is no environment {options['environment']}.")
        given = {"environment_id": environment.pk, "minutes": options["minutes"], "reason": options["reason"]}
        try:
            set_offline_grace(**given, by=system(HOST))
        except (Refused, BadContent) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"A yes for {environment.name} permits a start without this installation for {options['minutes']} min.")
