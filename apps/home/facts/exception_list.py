"""Every exception in a list: by team and state, what is owed, and how many each team was given."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncMonth

from apps.accounts.access import teams_of
from apps.accounts.models import Person, Team
from apps.approvals.access import exceptions_for
from apps.approvals.facts import proofs_of
from apps.approvals.models import LegException
from apps.approvals.rules import ExceptionKind, ExceptionState
from apps.changes.access import changes_for
from apps.home.facts.exceptions import Told

PAGE, MONTHS = 30, timedelta(days=183)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the list shows: of which team, in which state, and where the page begins."""

    team: str = ""
    state: str = ""
    before: int | None = None


STATES: Mapping[str, tuple[str, str]] = {
    "waiting": ("Waiting", "asked for, nobody decided"),
    "live": ("In force", "agreed to and not ended"),
    "owing": ("Review owed", "agreed to and not reviewed"),
    "overdue": ("Overdue", "the review is late"),
    "over": ("Over", "ended, refused or withdrawn"),
}


def listed_exceptions(person: Person, chosen: Chosen, *, now: datetime) -> tuple[list[Told], int | None]:
    """One page of exceptions, the newest first, and where the next one begins. A fixed number of statements."""
    found = _chosen(exceptions_for(person), chosen, now=now)
    rows = [*found[: PAGE + 1]]
    page = rows[:PAGE]
    proofs = proofs_of(page)
    told_rows = [Told(one, *_at_a_glance(one, is_proved=proofs[one.pk] is not None, now=now)) for one in page]
    return told_rows, page[-1].pk if len(rows) > PAGE else None


def counted_by_team(person: Person, *, now: datetime) -> list[dict[str, object]]:
    """How many exceptions each team was given in each of the last six months, the newest month first."""
    given = LegException.objects.filter(agreed_at__gte=now - MONTHS, leg__change__in=changes_for(person))
    rows = given.annotate(month=TruncMonth("agreed_at")).values("month", "team__name", "team__slug").order_by("-month", "team__name")
    counted = rows.annotate(count=Count("pk"), emergencies=Count("pk", filter=Q(kind=ExceptionKind.EMERGENCY.value)))
    return [{**row} for row in counted]


def teams_with_exceptions(person: Person) -> list[Team]:
    """The teams that can be chosen: whoever ever asked, and one's own."""
    asked = LegException.objects.filter(leg__change__in=changes_for(person)).values("team")
    return [*(Team.objects.filter(pk__in=asked) | Team.objects.filter(pk__in=teams_of(person).values("pk"))).order_by("name")]


def _chosen(found: QuerySet[LegException], chosen: Chosen, *, now: datetime) -> QuerySet[LegException]:
    waiting = Q(agreed_at__isnull=True, refused_at__isnull=True, withdrawn_at__isnull=True)
    live = Q(agreed_at__isnull=False, withdrawn_at__isnull=True, ends_at__gt=now)
    owing = Q(agreed_at__isnull=False, reviewed_at__isnull=True)
    states = {"waiting": waiting, "live": live, "owing": owing, "overdue": owing & Q(review_due_at__lte=now), "over": ~waiting & ~live}
    found = found.filter(states.get(chosen.state, Q()))
    if chosen.team:
        found = found.filter(team__slug=chosen.team)
    return found.filter(pk__lt=chosen.before) if chosen.before is not None else found


def _at_a_glance(one: LegException, *, is_proved: bool, now: datetime) -> tuple[ExceptionState, str, str]:
    """Where it stands by its rows and its proof; what voids it beside them is told on its page."""
    if one.refused_at or one.withdrawn_at:
        return (ExceptionState.REFUSED if one.refused_at else ExceptionState.WITHDRAWN), "", ""
    if one.ends_at and now >= one.ends_at:
        return ExceptionState.ENDED, "", ""
    if not is_proved:
        return ExceptionState.VOID, "its signatures do not prove it", "Run the audit verifier."
    return (ExceptionState.LIVE if one.agreed_at else ExceptionState.WAITING), "", ""
