"""Where a number that somebody typed leads: to the thing it names, if they may see it."""

from collections.abc import Callable

from django.http import Http404
from django.urls import reverse

from apps.accounts.models import Person
from apps.approvals.access import get_exception
from apps.changes.access import get_change
from apps.core.references import parse_number
from apps.deployments.access import get_deployment
from apps.incidents.access import get_incident

NUMBERED: dict[str, tuple[Callable[[Person, int], object], str]] = {
    "DEP": (get_deployment, "deployments:deployment"),
    "INC": (get_incident, "incidents:incident"),
    "EXC": (get_exception, "home:exception"),
}


def address_of(person: Person, text: str) -> str:
    """The page of what a text names, such as DEP-7; empty where it names nothing that the person sees."""
    try:
        if (number := parse_number(text, prefix="CHG")) is not None:
            return reverse("home:change", args=[get_change(person, f"CHG-{number}").ref])
        for prefix, (get, route) in NUMBERED.items():
            if (number := parse_number(text, prefix=prefix)) is not None:
                get(person, number)
                return reverse(route, args=[number])
    except Http404:
        return ""
    return ""
