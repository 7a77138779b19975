"""What the frame of every page shows: who you are, where you can go, and whether the gate is open."""

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.access import teams_of
from apps.audit.seal import sealed_positions
from apps.core.together import read_together
from apps.home.facts.lamps import gate_rows, gates_in


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    label: str
    icon: str
    route: str
    key: str = ""
    count: str = ""  # where its number is asked for, after the page is there


MAIN = (
    Place("Home", "home", "home:home", "g h"),
    Place("Inbox", "inbox", "home:inbox", "g n", count="home:inbox_count"),
    Place("Changes", "git-pull-request", "home:changes", "g c"),
    Place("Freezes and holds", "snowflake", "schedule:walls", "g k"),
    Place("Deployments", "rocket", "deployments:deployments", "g d"),
    Place("Incidents", "flame", "incidents:incidents", "g i"),
    Place("What runs where", "layout-grid", "home:matrix", "g w"),
)
GOVERN = (
    Place("Gate", "barrier-block", "home:gate", "g g"),
    Place("Tokens and trust", "key", "home:gate_tokens"),
    Place("Services", "sitemap", "catalog:services"),
    Place("People", "users", "accounts:people"),
    Place("Policies", "scale", "approvals:policies"),
    Place("Exceptions", "bolt", "home:exceptions"),
    Place("Change models", "template", "home:change_models"),
    Place("Audit stream", "receipt", "home:audit"),
)
DOCK = (MAIN[0], replace(MAIN[1], count=""), MAIN[2], Place("New", "circle-plus", "home:new_change"))


def shell(request: HttpRequest) -> dict[str, Any]:
    """The frame's data; for somebody who is not signed in only the organisation's name."""
    person = getattr(request, "user", None)
    now = timezone.now()
    if person is None or not person.is_authenticated or getattr(request, "htmx", False):
        return {"organisation": settings.ORGANISATION, "now": now}  # a part of a page tells the time as the page does
    teams, sealed, gates = teams_of(person), sealed_positions(), gate_rows(now)
    read_together(teams, sealed, gates)
    lamps = [
        {"environment": gate.environment.name, "tone": gate.tone, "icon": gate.icon, "word": gate.word} for gate in gates_in(gates, now)
    ]
    return {
        "now": now,
        "shell": {
            "organisation": settings.ORGANISATION,
            "nav": links(MAIN, request.path),
            "govern": links(GOVERN, request.path),
            "dock": links(DOCK, request.path),
            "lamps": lamps,
            "person": {"name": person.name, "team": ", ".join(team.name for team in teams)},
            "sealed_to": next(iter(sealed), 0),
            "zone": str(timezone.get_current_timezone()),
            "search_url": reverse("home:changes"),
            "new_url": reverse("home:new_change"),
        },
    }


def links(places: tuple[Place, ...], path: str) -> list[dict[str, Any]]:
    """The navigation with the current place marked."""
    urls = [(place, reverse(place.route)) for place in places]
    here = max((url for _, url in urls if path == url or (url != "/" and path.startswith(url))), key=len, default="")
    return [
        {
            "label": place.label,
            "icon": place.icon,
            "url": url,
            "key": place.key,
            "current": url == here,
            "count_url": reverse(place.count) if place.count else "",
        }
        for place, url in urls
    ]
