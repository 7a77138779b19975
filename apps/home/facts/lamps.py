"""Whether each environment is open as a whole, and the walls that stand or are coming; for the frame and the first page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, DateTimeField, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.utils import timezone

from apps.accounts.models import Person
from apps.catalog.access import environments_in_order
from apps.catalog.models import Environment, scope_number
from apps.core.moments import clock_words
from apps.home.facts.overview import words_for
from apps.schedule.access import scopes_hidden_from
from apps.schedule.facts import scopes_named
from apps.schedule.models import CalendarRule, Hold, RuleKind
from apps.schedule.stretches import Stretch

AHEAD = timedelta(days=7)
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Gate:
    """One environment as a whole; a service of it may still be frozen or held by itself."""

    environment: Environment
    tone: str
    icon: str
    word: str
    text: str

    @property
    def is_shut(self) -> bool:
        """Whether nothing may begin there now."""
        return self.tone != "go"


@dataclass(frozen=True, slots=True)
class Wall:
    """A freeze, a window that is closed, or a hold."""

    kind: str  # FROZEN or ON_HOLD, as badges know them
    title: str
    where: str
    starts_at: datetime | None
    ends_at: datetime | None


# The walls that stand and cover all of an environment; below are the hold that was placed first, the freeze that ends last, and the windows.
STANDING = "lifted_at is null and scope in (%s, %s + catalog_environment.id)"
HELD = f"select reason from schedule_hold where {STANDING} order by placed_at limit 1"
RULES = "from schedule_calendarrule c cross join lateral unnest(c.covers) r where"
FROZEN = f"{RULES} {STANDING} and live_until > %s and kind = 'FREEZE' and r @> %s::timestamptz order by upper(r) desc, title desc limit 1"
WINDOWS = f"from schedule_calendarrule where {STANDING} and live_until > %s and kind = 'WINDOW'"


def gates_now() -> list[Gate]:
    """Every environment, the lowest rung first; one statement."""
    now = timezone.now()
    return gates_in(gate_rows(now), now)


def gate_rows(now: datetime) -> QuerySet[Environment]:
    """The same as rows that nobody has read yet: every page of the frame reads them together with others."""
    place = [scope_number("EVERYTHING"), scope_number("ENVIRONMENT")]
    return environments_in_order().annotate(
        held=RawSQL(HELD, place, TextField()),  # noqa: S611 - the text is above, and numbers and moments are bound
        frozen_by=RawSQL(f"select title {FROZEN}", [*place, now, now], TextField()),  # noqa: S611
        frozen_until=RawSQL(f"select upper(r) {FROZEN}", [*place, now, now], DateTimeField()),  # noqa: S611
        window_of=RawSQL(f"select min(title) {WINDOWS}", [*place, now], TextField()),  # noqa: S611
        in_window=RawSQL(  # noqa: S611
            f"select coalesce(bool_or(covers @> %s::timestamptz), true) {WINDOWS}", [now, *place, now], BooleanField()
        ),
    )


def gates_in(rows: Iterable[Environment], now: datetime) -> list[Gate]:
    """What such rows say."""
    return [gate(environment, now) for environment in rows]


def gate(environment: Any, now: datetime) -> Gate:  # noqa: ANN401 - an environment with the columns above
    """One environment: held, frozen, outside its windows, or open."""
    if environment.held is not None:
        return Gate(environment, "stop", "hand-stop", "On hold", environment.held)
    if environment.frozen_until is not None:
        until = clock_words(environment.frozen_until, zone=timezone.get_current_timezone(), now=now)
        return Gate(environment, "freeze", "snowflake", f"Until {until}", environment.frozen_by)
    if not environment.in_window:
        return Gate(environment, "wait", "calendar-event", "Outside its window", environment.window_of)
    return Gate(environment, "go", "circle-check", "Open", words_for(environment.change_required))


def walls_now(person: Person) -> list[Wall]:
    """Holds that stand, freezes that run or begin within a week, of what this person may see."""
    now = timezone.now()
    hidden = scopes_hidden_from(person)  # taken out before the cut: what is unseen takes nobody's place
    holds = Hold.objects.filter(lifted_at__isnull=True).exclude(scope__in=hidden).order_by("-placed_at")[:SHOWN]
    freezes = CalendarRule.objects.filter(lifted_at__isnull=True, live_until__gt=now, kind=RuleKind.FREEZE).exclude(scope__in=hidden)
    coming = [(rule, stretch) for rule in freezes.order_by("live_until") if (stretch := stretch_near(rule, now))][:SHOWN]
    where = scopes_named([*(hold.scope for hold in holds), *(rule.scope for rule, _ in coming)])
    return [
        *(Wall("ON_HOLD", hold.reason, where[hold.scope].name, hold.placed_at, None) for hold in holds),
        *(Wall("FROZEN", rule.title, where[rule.scope].name, stretch.starts_at, stretch.ends_at) for rule, stretch in coming),
    ]


def stretch_near(rule: CalendarRule, now: datetime) -> Stretch | None:
    """The stretch that runs or begins within a week."""
    return next((stretch for stretch in rule.covers if stretch.ends_at > now and stretch.starts_at < now + AHEAD), None)
