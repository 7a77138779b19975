"""Issues a gate token on the host and prints it, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.catalog.models import Environment, Service
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import HOST, issue_gate_token
from apps.gate.rules import Action, Detail


class Command(BaseCommand):
    """Issue a gate token for a pipeline and print its secret, which is shown this once."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """What the token is for; a scope left out means all."""
        parser.add_argument("--name", required=True, help="by which people know it, such as the pipeline's name")
        parser.add_argument("--service", action="append", help="short name of a service; may be given several times")
        parser.add_argument("--environment", action="append", help="short name of an environment; may be given several times")
        parser.add_argument("--actions", nargs="+", choices=[action.value.lower() for action in Action], default=["deploy"])
        parser.add_argument("--detail", choices=[detail.value for detail in Detail], default=Detail.FULL.value)
        parser.add_argument("--days", type=int, default=90, help="how long it lives")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Issue it."""
        try:
            issued = issue_gate_token(
                name=options["name"],
                actions=[Action(action.upper()) for action in options["actions"]],
                services=_found(Service, options["service"]),
                environments=_found(Environment, options["environment"]),
                detail=Detail(options["detail"]),
                days=options["days"],
                by=system(HOST),
            )
        except (BadContent, Refused) as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Issued {issued.token.name}; it expires {issued.token.expires_at:%d %b %Y %H:%M} UTC. It is not shown again:")
        self.stdout.write(issued.secret)


def _found(model: type[Service] | type[Environment], slugs: list[str] | None) -> list[Any] | None:
    if slugs is None:
        return None
    rows = {row.slug: row for row in model.objects.filter(slug__in=slugs, retired_at__isnull=True)}
    if missing := sorted(set(slugs) - set(rows)):
        raise CommandError(f"There is no {model.__name__.lower()} {missing[0]}.")
    return list(rows.values())
