"""Whether each environment is open as a whole, and the walls that stand or are coming; for the frame and the first page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.accounts.models import Person
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


# Each environment with the walls that cover all of it: a hold, the freeze that ends last, and whether one of its windows is open.
GATES = """
select e.*, h.reason as held, f.title as frozen_by, f.ends_at as frozen_until, w.title as window_of, coalesce(w.is_open, true) as in_window
from catalog_environment e
left join lateral (
  select reason from schedule_hold where lifted_at is null and scope in (%(all)s, %(some)s + e.id) order by placed_at limit 1) h on true
left join lateral (
  select c.title, upper(r) as ends_at from schedule_calendarrule c cross join lateral unnest(c.covers) r
  where c.lifted_at is null and c.live_until > %(now)s and c.kind = 'FREEZE' and c.scope in (%(all)s, %(some)s + e.id) and r @> %(now)s::timestamptz
  order by upper(r) desc, c.title desc limit 1) f on true
left join lateral (
  select min(title) as title, bool_or(covers @> %(now)s::timestamptz) as is_open from schedule_calendarrule
  where lifted_at is null and live_until > %(now)s and kind = 'WINDOW' and scope in (%(all)s, %(some)s + e.id)) w on true
where e.retired_at is null order by e.rank, e.name
"""


def gates_now() -> list[Gate]:
    """Every environment, the lowest rung first; one statement, for every page of the frame asks it."""
    now = timezone.now()
    asked = {"now": now, "all": scope_number("EVERYTHING"), "some": scope_number("ENVIRONMENT")}
    return [gate(environment, now) for environment in Environment.objects.raw(GATES, asked)]


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
