"""Ends a gate token on the host: what to run when a pipeline's secret got out."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.actors import system
from apps.core.refusals import Refused
from apps.gate.actions import HOST, PREFIX_LENGTH, revoke_gate_token
from apps.gate.models import GateToken


class Command(BaseCommand):
    """End a token now, named by the beginning of its secret."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Which token, and why."""
        parser.add_argument("prefix", help="the beginning of the secret, as manage.py gate_tokens prints it")
        parser.add_argument("--reason", default="", help="why, for the audit stream")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Revoke it; a whole secret is understood too, so that what leaked can be pasted."""
        prefix = options["prefix"][:PREFIX_LENGTH]
        found = list(GateToken.objects.filter(prefix=prefix, trust__isnull=True)[:2])
        if len(found) != 1:
            raise CommandError(
                f"{'No' if not found else 'More than one'} gate token begins with {prefix}. manage.py gate_tokens lists them."
            )
        try:
            token = revoke_gate_token(found[0].pk, by=system(HOST), reason=options["reason"])
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Revoked {token.name} ({token.prefix}). Whoever carries it is refused from now on.")
