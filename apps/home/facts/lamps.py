"""Whether each environment is open as a whole, and the walls that stand or are coming; for the frame and the first page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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


def gates_now() -> list[Gate]:
    """Every environment, the lowest rung first; three statements."""
    now = timezone.now()
    rules = list(CalendarRule.objects.filter(lifted_at__isnull=True, live_until__gt=now))
    holds = list(Hold.objects.filter(lifted_at__isnull=True))
    return [gate(environment, rules, holds, now) for environment in environments_in_order()]


def gate(environment: Environment, rules: list[CalendarRule], holds: list[Hold], now: datetime) -> Gate:
    """One environment: held, frozen, outside its windows, or open."""
    scopes = {scope_number("EVERYTHING"), scope_number("ENVIRONMENT", environment.pk)}
    text = words_for(environment.change_required)
    if held := next((hold for hold in holds if hold.scope in scopes), None):
        return Gate(environment, "stop", "hand-stop", "On hold", held.reason)
    mine = [rule for rule in rules if rule.scope in scopes]
    frozen = [(end, rule.title) for rule in mine if rule.kind == RuleKind.FREEZE and (end := ends_at(rule, now))]
    if frozen:
        end, title = max(frozen)
        return Gate(environment, "freeze", "snowflake", f"Until {clock_words(end, zone=timezone.get_current_timezone(), now=now)}", title)
    windows = [rule for rule in mine if rule.kind == RuleKind.WINDOW]
    if windows and not any(ends_at(rule, now) for rule in windows):
        return Gate(environment, "wait", "calendar-event", "Outside its window", windows[0].title)
    return Gate(environment, "go", "circle-check", "Open", text)


def ends_at(rule: CalendarRule, now: datetime) -> datetime | None:
    """When the stretch that covers this moment ends; None when none does."""
    return next((stretch.ends_at for stretch in rule.covers if stretch.holds(now)), None)


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
