"""Every exception in a list: by team and state, what is owed, and how many each team was given."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.access import teams_of
from apps.accounts.models import Person, Team
from apps.approvals.access import exceptions_for
from apps.approvals.facts import proved, read_exceptions
from apps.approvals.models import LegException
from apps.approvals.rules import ASK_HOLDS, ExceptionKind, ExceptionState
from apps.changes.access import changes_for
from apps.home.facts.exceptions import Told, told_exceptions

PAGE, LOOKS, MOST_COUNTED, MONTHS = 30, 4, 1000, timedelta(days=183)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the list shows: of which team, in which state, agreed in which month, and where the page begins."""

    team: str = ""
    state: str = ""
    before: int | None = None
    month: date | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What one team was given in one month."""

    month: date
    team: str
    slug: str
    kinds: Counter[str]

    @property
    def total(self) -> int:
        """All kinds together."""
        return self.kinds.total()

    @property
    def words(self) -> str:
        """By kind."""
        return ", ".join(f"{self.kinds[kind]} {kind.lower()}" for kind in ExceptionKind if self.kinds[kind])


STATES: Mapping[str, tuple[str, str]] = {
    "waiting": ("Waiting", "asked for, nobody decided"),
    "live": ("In force", "agreed to and not ended"),
    "owing": ("Review owed", "agreed to and not reviewed"),
    "overdue": ("Overdue", "the review is late"),
    "over": ("Over", "ended, refused or withdrawn"),
}


def listed_exceptions(person: Person, chosen: Chosen, *, now: datetime) -> tuple[list[Told], int | None]:
    """One page of exceptions, the newest first, and where the next one begins. What stands nowhere near its tab is looked through."""
    found = _chosen(exceptions_for(person), chosen, now=now)
    shown: list[Told] = []
    last: int | None = None
    for _ in range(LOOKS):
        rows = [*(found if last is None else found.filter(pk__lt=last))[: PAGE + 1]]
        for one in told_exceptions(rows[:PAGE], now=now):
            if len(shown) == PAGE:
                return shown, last
            last = one.one.pk
            if _belongs(one, chosen.state):
                shown.append(one)
        if len(rows) <= PAGE:
            return shown, None
    return shown, last


def counted_by_team(person: Person, *, now: datetime) -> list[Counted]:
    """How many exceptions each team was given in each of the last six months, the newest month first; only what is proved."""
    given = read_exceptions().filter(agreed_at__gte=now - MONTHS, leg__change__in=changes_for(person))
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for one in proved(given.order_by("-pk")[:MOST_COUNTED]):
        if one.agreed_at is not None:
            counts[f"{timezone.localtime(one.agreed_at):%Y-%m}", one.team.name, one.team.slug][one.kind] += 1
    ordered = sorted(counts.items(), key=lambda item: item[0][1])
    ordered.sort(key=lambda item: item[0][0], reverse=True)
    return [Counted(date.fromisoformat(f"{month}-01"), name, slug, kinds) for (month, name, slug), kinds in ordered]


def teams_with_exceptions(person: Person) -> list[Team]:
    """The teams that can be chosen: whoever ever asked, and one's own."""
    asked = LegException.objects.filter(leg__change__in=changes_for(person)).values("team")
    return [*(Team.objects.filter(pk__in=asked) | Team.objects.filter(pk__in=teams_of(person).values("pk"))).order_by("name")]


def _chosen(found: QuerySet[LegException], chosen: Chosen, *, now: datetime) -> QuerySet[LegException]:
    undecided = Q(agreed_at__isnull=True, refused_at__isnull=True, withdrawn_at__isnull=True, lapsed_at__isnull=True)
    waiting = undecided & Q(asked_at__gt=now - ASK_HOLDS)
    live = Q(agreed_at__isnull=False, withdrawn_at__isnull=True, ends_at__gt=now)
    owing = Q(agreed_at__isnull=False, reviewed_at__isnull=True)
    states = {"waiting": waiting, "live": live, "owing": owing, "overdue": owing & Q(review_due_at__lte=now), "over": ~waiting}
    found = found.filter(states.get(chosen.state, Q()))
    if chosen.team:
        found = found.filter(team__slug=chosen.team)
    if chosen.month is not None:
        start = timezone.make_aware(datetime(chosen.month.year, chosen.month.month, 1))  # noqa: DTZ001 - made aware in the reader's zone
        after = (start + timedelta(days=32)).replace(day=1)
        found = found.filter(agreed_at__gte=start, agreed_at__lt=after)
    return found.filter(pk__lt=chosen.before) if chosen.before is not None else found


def _belongs(one: Told, tab: str) -> bool:
    """Whether a tab shows it, by where it stands and not by its columns alone."""
    match tab:
        case "waiting":
            return one.state is ExceptionState.WAITING
        case "live":
            return one.state is ExceptionState.LIVE
        case "owing" | "overdue":
            return one.owes_review and one.is_proved
        case "over":
            return one.state not in {ExceptionState.WAITING, ExceptionState.LIVE}
    return True
