"""Says on the host how a rule of the gate is applied in an environment; recorded like every other change of it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.catalog.models import Environment
from apps.core.actors import system
from apps.core.refusals import Refused
from apps.gate.actions import HOST, set_rule_mode
from apps.gate.rules import Mode


class Command(BaseCommand):
    """Apply a rule ENFORCED, WARN_ONLY or OFF in one environment."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, which rule, how and why."""
        parser.add_argument("environment", help="short name of the environment")
        parser.add_argument("rule", help="the rule, as docs/gate-rules.md names it")
        parser.add_argument("mode", choices=[mode.value for mode in Mode])
        parser.add_argument("--reason", default="", help="why, for the audit stream")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Set it."""
        environment = Environment.objects.filter(slug=options["environment"], retired_at__isnull=True).first()
        if environment is None:
            raise CommandError(f"There is no environment {options['environment']}.")
        try:
            row = set_rule_mode(
                environment_id=environment.pk, rule=options["rule"], mode=Mode(options["mode"]), by=system(HOST), reason=options["reason"]
            )
        except Refused as error:
            raise CommandError(str(error)) from error
        said = "is applied so already" if row is None else f"is {options['mode']} from now on"
        self.stdout.write(f"{options['rule']} {said} in {environment.name}.")
