"""Whether each environment is open as a whole, and the walls that stand or are coming; for the frame and the first page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import Team
from apps.catalog.access import environments_in_order
from apps.catalog.models import Environment, Service, Target, scope_number
from apps.core.moments import clock_words
from apps.home.facts.overview import words_for
from apps.schedule.models import CalendarRule, Hold, RuleKind

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


def walls_now() -> list[Wall]:
    """Holds that stand, freezes that run or begin within a week."""
    now = timezone.now()
    holds = Hold.objects.filter(lifted_at__isnull=True).order_by("-placed_at")[:SHOWN]
    rules = CalendarRule.objects.filter(lifted_at__isnull=True, live_until__gt=now, kind=RuleKind.FREEZE).order_by("live_until")[:SHOWN]
    where = places([hold.scope for hold in holds] + [rule.scope for rule in rules])
    found = [Wall("ON_HOLD", hold.reason, where[hold.scope], hold.placed_at, None) for hold in holds]
    for rule in rules:
        coming = next((stretch for stretch in rule.covers if stretch.ends_at > now), None)
        if coming and coming.starts_at < now + AHEAD:
            found.append(Wall("FROZEN", rule.title, where[rule.scope], coming.starts_at, coming.ends_at))
    return found


def places(scopes: list[int]) -> dict[int, str]:
    """Scope numbers in words; one statement per kind that occurs."""
    by_kind: dict[int, set[int]] = {}
    for scope in scopes:
        by_kind.setdefault(scope // 1_000_000_000, set()).add(scope % 1_000_000_000)
    names = {scope_number("EVERYTHING"): "everything"}
    names |= {scope_number("TIER", tier): f"tier {tier}" for tier in by_kind.get(2, ())}
    for kind, rows in (("ENVIRONMENT", Environment.objects), ("TEAM", Team.objects), ("SERVICE", Service.objects)):
        wanted = by_kind.get(scope_number(kind) // 1_000_000_000)
        names |= {scope_number(kind, row.pk): row.name for row in rows.filter(pk__in=wanted)} if wanted else {}
    if targets := by_kind.get(5):
        found = Target.objects.filter(Q(pk__in=targets)).select_related("service", "environment")
        names |= {scope_number("TARGET", row.pk): f"{row.service.name} in {row.environment.name}" for row in found}
    return names
