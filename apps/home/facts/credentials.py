"""Gate tokens and trusts as their pages show them: scopes in words, how they stand. Queries; decides nothing."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404

from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.catalog.models import Environment
from apps.core.prose import mark_hidden
from apps.deployments.forms import place_before
from apps.gate.models import GateToken, Trust
from apps.gate.trusts import standing, trusts_shown

PAGE = 50
SOON = timedelta(days=7)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
CUT = re.compile(r"([01])\.([0-9]{1,18})\.([0-9]{1,18})")
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


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list; where there are more, behind what the next page begins; and whether there is a page before."""

    rows: list[dict[str, Any]]
    cut: str
    is_later: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a page of what may be used ends: behind a row as it stood then, whatever becomes of that row."""

    holds: bool  # what waits comes before
    expires_at: datetime
    pk: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """From an address; None for whatever is none."""
        found = CUT.fullmatch(text)
        try:
            return cls(found[1] == "1", BEGINNING + timedelta(microseconds=int(found[2])), int(found[3])) if found else None
        except OverflowError:
            return None

    def __str__(self) -> str:
        return f"{int(self.holds)}.{(self.expires_at - BEGINNING) // timedelta(microseconds=1)}.{self.pk}"


def live_tokens(*, reader: Person, now: datetime, given: str) -> Page:
    """The gate tokens that may be used, what ends next first."""
    found, after = _tokens().filter(revoked_at__isnull=True, expires_at__gt=now).order_by("expires_at", "pk"), Cut.read(given)
    if after is not None:
        found = found.filter(Q(expires_at__gt=after.expires_at) | Q(expires_at=after.expires_at, pk__gt=after.pk))
    rows = list(found[: PAGE + 1])
    cut = str(Cut(holds=True, expires_at=rows[PAGE - 1].expires_at, pk=rows[PAGE - 1].pk)) if len(rows) > PAGE else ""
    return Page(_token_rows(rows[:PAGE], reader=reader, now=now), cut, is_later=after is not None)


def over_tokens(*, reader: Person, now: datetime, given: str) -> Page:
    """Those that are revoked or have expired, the newest first."""
    found, before = _tokens().filter(Q(revoked_at__isnull=False) | Q(expires_at__lte=now)).order_by("-pk"), place_before(given)
    rows = list((found if before is None else found.filter(pk__lt=before))[: PAGE + 1])
    cut = str(rows[PAGE - 1].pk) if len(rows) > PAGE else ""
    return Page(_token_rows(rows[:PAGE], reader=reader, now=now), cut, is_later=before is not None)


def _tokens() -> QuerySet[GateToken]:
    return GateToken.objects.filter(trust__isnull=True)


def _token_rows(tokens: Sequence[GateToken], *, reader: Person, now: datetime) -> list[dict[str, Any]]:
    shelf = shelf_of(tokens, reader=reader)
    return [token_row(token, shelf, now=now) for token in tokens]


def token_row(token: GateToken, shelf: Shelf, *, now: datetime) -> dict[str, Any]:
    """One of them."""
    stands = ("SOON" if token.expires_at - now < SOON else "HOLDS") if token.is_live(now) else "ENDED" if token.revoked_at else "EXPIRED"
    return {"token": token, "reach": shelf.reach(token), "standing": STANDINGS[stands], "is_live": token.is_live(now)}


def live_trusts(*, reader: Person, now: datetime, given: str) -> Page:
    """The trusts that wait or hold: those that wait first, then what ends next."""
    found, after = trusts_shown().filter(grant__revoked_at__isnull=True, grant__expires_at__gt=now), Cut.read(given)
    found = found.alias(holds=Q(in_force_at__isnull=False)).order_by("holds", "grant__expires_at", "pk")
    if after is not None:
        ends_later = Q(grant__expires_at__gt=after.expires_at) | Q(grant__expires_at=after.expires_at, pk__gt=after.pk)
        found = found.filter(Q(holds__gt=after.holds) | Q(ends_later, holds=after.holds))
    rows = list(found[: PAGE + 1])
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    cut = str(Cut(holds=last.in_force_at is not None, expires_at=last.grant.expires_at, pk=last.pk)) if last else ""
    return Page(_trust_rows(rows[:PAGE], reader=reader, now=now), cut, is_later=after is not None)


def over_trusts(*, reader: Person, now: datetime, given: str) -> Page:
    """Those that were ended or have expired, the newest first."""
    found, before = (
        trusts_shown().filter(Q(grant__revoked_at__isnull=False) | Q(grant__expires_at__lte=now)).order_by("-pk"),
        place_before(given),
    )
    rows = list((found if before is None else found.filter(pk__lt=before))[: PAGE + 1])
    cut = str(rows[PAGE - 1].pk) if len(rows) > PAGE else ""
    return Page(_trust_rows(rows[:PAGE], reader=reader, now=now), cut, is_later=before is not None)


def _trust_rows(trusts: Sequence[Trust], *, reader: Person, now: datetime) -> list[dict[str, Any]]:
    shelf = shelf_of([one.grant for one in trusts], reader=reader)
    return [trust_row(one, shelf, now=now) for one in trusts]


def trust_row(trust: Trust, shelf: Shelf, *, now: datetime) -> dict[str, Any]:
    """One of them."""
    stands = standing(trust, now)
    if stands == "HOLDS" and trust.grant.expires_at - now < SOON:
        stands = "SOON"
    return {"trust": trust, "reach": shelf.reach(trust.grant), "standing": STANDINGS[stands]}


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
