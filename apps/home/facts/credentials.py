"""Gate tokens and trusts as their pages show them: scopes in words, how they stand. Queries; decides nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404

from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.catalog.models import Environment
from apps.core.prose import mark_hidden
from apps.gate.models import GateToken, Trust
from apps.gate.trusts import standing, trusts_shown

MOST = 200
NAMED = 6  # services in a row; of more it says how many
STANDINGS = {
    "HOLDS": ("Holds", "go", "check"),
    "WAITS": ("Waits for another administrator", "wait", "hourglass"),
    "EXPIRED": ("Expired", "mute", "clock"),
    "ENDED": ("Ended", "stop", "ban"),
}


@dataclass(frozen=True, slots=True)
class Shelf:
    """Names of everything that scopes of these tokens name; what this reader does not see has none."""

    services: dict[int, str]
    environments: dict[int, str]

    def reach(self, token: GateToken) -> str:
        """Services × environments × actions, in words."""
        services = _words(token.service_ids, self.services, "service")
        places = _words(token.environment_ids, self.environments, "environment")
        return f"{', '.join(action.lower() for action in token.actions)} · {services} · {places}"


def shelf_of(tokens: Iterable[GateToken], *, reader: Person) -> Shelf:
    """Two statements, however many tokens."""
    services, places = set[int](), set[int]()
    for token in tokens:
        services.update(token.service_ids or ())
        places.update(token.environment_ids or ())
    named = services_for(reader).filter(pk__in=services).values_list("pk", "name")
    return Shelf(dict(named), dict(Environment.objects.filter(pk__in=places).values_list("pk", "name")))


def token_rows(*, reader: Person, now: datetime) -> list[dict[str, Any]]:
    """Every gate token, those that hold first."""
    tokens = list(GateToken.objects.filter(trust__isnull=True).order_by("revoked_at", "-expires_at", "pk")[:MOST])
    shelf = shelf_of(tokens, reader=reader)
    return [token_row(token, shelf, now=now) for token in sorted(tokens, key=lambda one: not one.is_live(now))]


def token_row(token: GateToken, shelf: Shelf, *, now: datetime) -> dict[str, Any]:
    """One of them."""
    stands = "HOLDS" if token.is_live(now) else "ENDED" if token.revoked_at else "EXPIRED"
    return {"token": token, "reach": shelf.reach(token), "standing": STANDINGS[stands], "is_live": token.is_live(now)}


def trust_rows(*, reader: Person, now: datetime) -> list[dict[str, Any]]:
    """Every trust, those that wait or hold first."""
    trusts = list(trusts_shown()[:MOST])
    shelf = shelf_of([one.grant for one in trusts], reader=reader)
    rows = [trust_row(one, shelf, now=now) for one in trusts]
    return sorted(rows, key=lambda row: row["order"])


def trust_row(trust: Trust, shelf: Shelf, *, now: datetime) -> dict[str, Any]:
    """One of them."""
    stands = standing(trust, now)
    order = ("WAITS", "HOLDS", "EXPIRED", "ENDED").index(stands)
    return {"trust": trust, "reach": shelf.reach(trust.grant), "standing": STANDINGS[stands], "order": order}


def pins_told(trust: Trust) -> list[tuple[str, str]]:
    """What a job must be, for the table of facts."""
    said = [
        ("Issuer", trust.issuer.url),
        ("Audience", trust.audience),
        ("Project", trust.project),
        ("Owner", trust.owner or "any"),
        ("Environment in the CI", trust.environment or "any"),
        ("Refs", ", ".join(trust.refs) or "any"),
        ("Pipeline file", trust.workflow or "any"),
        ("Merge requests and forks", "may ask where no agreement is needed" if trust.takes_merge_requests else "refused"),
    ]
    return [(name, mark_hidden(text)) for name, text in said]


def get_token(public_id: UUID) -> GateToken:
    """One gate token; 404 when there is none."""
    try:
        return GateToken.objects.get(public_id=public_id, trust__isnull=True)
    except (GateToken.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def _words(ids: Sequence[int] | None, names: dict[int, str], kind: str) -> str:
    if ids is None:
        return f"every {kind}"
    known = sorted(names[pk] for pk in ids if pk in names)
    hidden = len(ids) - len(known)
    if len(known) > NAMED:
        return f"{len(ids)} {kind}s"
    return ", ".join([*known, *([f"{hidden} restricted"] if hidden else [])])
