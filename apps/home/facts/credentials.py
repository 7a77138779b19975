"""Gate tokens and trusts as their pages show them: scopes in words, how they stand. Queries; decides nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.http import Http404

from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.catalog.models import Environment
from apps.core.prose import mark_hidden
from apps.gate.models import GateToken, Trust
from apps.gate.trusts import standing, trusts_shown

MOST = 200
PAGE = 50
SOON = timedelta(days=7)
NAMED = 6  # services in a row; of more it says how many
STANDINGS = {
    "HOLDS": ("Holds", "go", "check"),
    "SOON": ("Ends soon", "wait", "hourglass"),
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


def live_tokens(*, reader: Person, now: datetime) -> list[dict[str, Any]]:
    """Every gate token that may be used, what ends next first; at most so many."""
    found = _tokens().filter(revoked_at__isnull=True, expires_at__gt=now).order_by("expires_at", "pk")[:MOST]
    return _token_rows(list(found), reader=reader, now=now)


def over_tokens(*, reader: Person, now: datetime, before: int | None) -> tuple[list[dict[str, Any]], int | None]:
    """Those that are revoked or have expired, the newest first; where there are more, the number that the next page ends before."""
    found = _tokens().filter(Q(revoked_at__isnull=False) | Q(expires_at__lte=now)).order_by("-pk")
    rows = list((found if before is None else found.filter(pk__lt=before))[: PAGE + 1])
    return _token_rows(rows[:PAGE], reader=reader, now=now), rows[PAGE - 1].pk if len(rows) > PAGE else None


def _tokens() -> QuerySet[GateToken]:
    return GateToken.objects.filter(trust__isnull=True)


def _token_rows(tokens: Sequence[GateToken], *, reader: Person, now: datetime) -> list[dict[str, Any]]:
    shelf = shelf_of(tokens, reader=reader)
    return [token_row(token, shelf, now=now) for token in tokens]


def token_row(token: GateToken, shelf: Shelf, *, now: datetime) -> dict[str, Any]:
    """One of them."""
    stands = ("SOON" if token.expires_at - now < SOON else "HOLDS") if token.is_live(now) else "ENDED" if token.revoked_at else "EXPIRED"
    return {"token": token, "reach": shelf.reach(token), "standing": STANDINGS[stands], "is_live": token.is_live(now)}


def trust_rows(*, reader: Person, now: datetime) -> list[dict[str, Any]]:
    """Every trust, those that wait or hold first; what is over is cut off before what is not."""
    trusts = list(trusts_shown().order_by(F("grant__revoked_at").desc(nulls_first=True), "-grant__expires_at", "pk")[:MOST])
    shelf = shelf_of([one.grant for one in trusts], reader=reader)
    rows = [trust_row(one, shelf, now=now) for one in trusts]
    return sorted(rows, key=lambda row: row["order"])


def trust_row(trust: Trust, shelf: Shelf, *, now: datetime) -> dict[str, Any]:
    """One of them."""
    stands = standing(trust, now)
    if stands == "HOLDS" and trust.grant.expires_at - now < SOON:
        stands = "SOON"
    order = ("WAITS", "SOON", "HOLDS", "EXPIRED", "ENDED").index(stands)
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
        ("Commit", "the one the job runs on" if trust.own_commit else "any"),
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
