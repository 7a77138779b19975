"""The names people read in place of references, and entries as the sentences a page shows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from apps.accounts import access as people
from apps.approvals.models import LegException
from apps.audit.entries import StreamEntry
from apps.audit.sentences import sentence
from apps.catalog import access as catalog
from apps.changes.models import Change, Leg
from apps.core.moments import full_words
from apps.core.prose import mark_hidden
from apps.core.references import Reference, reference, with_public_ids
from apps.deployments.models import Deployment
from apps.gate.models import GateToken, Issuer
from apps.incidents.models import Incident

# How the stream names a gate token or trust, as what it is and as who acts: all by the id of the token row.
GRANTS = frozenset({"gate_token", "token", "trust", "workload"})
MOMENTS = ("starts_at", "ends_at", "until", "since", "due")
ROUTES = {"exception": "home:exception", "deployment": "deployments:deployment", "incident": "incidents:incident", "change": "home:change"}


def names_of(references: Iterable[Reference]) -> dict[str, str]:
    """`kind:id` to a name, for everything that has one; a fixed number of statements."""
    wanted = with_public_ids(references)
    ids = {
        kind: [one.id for one in wanted if one.kind == kind] for kind in ("change", "leg", "deployment", "incident", "exception", "issuer")
    }
    ids["token"] = [one.id for one in wanted if one.kind in GRANTS]
    found: dict[Reference, str] = {**people.names_of(wanted), **catalog.names_of(wanted)}
    if ids["change"]:
        found |= {row.reference: row.ref for row in Change.objects.filter(public_id__in=ids["change"])}
    if ids["leg"]:
        legs = Leg.objects.filter(public_id__in=ids["leg"]).select_related("service", "environment")
        found |= {row.reference: f"{row.service.name} in {row.environment.name}" for row in legs}
    if ids["deployment"]:
        found |= {row.reference: row.ref for row in Deployment.objects.filter(public_id__in=ids["deployment"])}
    if ids["incident"]:
        found |= {row.reference: row.ref for row in Incident.objects.filter(public_id__in=ids["incident"])}
    if ids["exception"]:
        found |= {row.reference: row.ref for row in LegException.objects.filter(public_id__in=ids["exception"])}
    if ids["issuer"]:
        found |= {row.reference: row.name for row in Issuer.objects.filter(public_id__in=ids["issuer"])}
    if ids["token"]:
        tokens = {str(row.public_id): row.name for row in GateToken.objects.filter(public_id__in=ids["token"])}
        found |= {one: tokens[one.id] for one in wanted if one.kind in GRANTS and one.id in tokens}
    return {str(one): name for one, name in found.items()}


def told(entries: list[StreamEntry], *, known: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Entries in the shape of the stream component; KNOWN names are not looked for again."""
    read = dict(known or {})
    named = {one for entry in entries for one in (*entry.refs, entry.subject)}
    named |= {reference("person", person) for entry in entries if (person := entry.by.person_id)}
    names = read | names_of(one for one in named if str(one) not in read)
    return [line(entry, name_of=lambda text: names.get(text, text.partition(":")[2][:8] or text)) for entry in entries]


def line(entry: StreamEntry, *, name_of: Callable[[str], str]) -> dict[str, Any]:
    """One entry as a sentence with its icon, its tone and where it leads."""
    said = sentence(replace(entry, data=in_local_words(entry.data)), name_of)
    where = f"Entry {entry.position}, sealed." if entry.is_sealed else "Not sealed yet."
    return {
        "at": entry.at,
        "icon": said.icon,
        "tone": said.tone,
        "sentence": said.text,
        "sub": mark_hidden(said.sub),
        "mark": where,
        "entry": entry,
        "url": url_of(entry, name_of),
    }


def in_local_words(data: dict[str, Any]) -> dict[str, Any]:
    """The entry's data with its moments as the reader's clock shows them."""
    zone = timezone.get_current_timezone()
    return {**data, **{key: full_words(at, zone=zone) for key in MOMENTS if (at := _moment(data.get(key)))}}


def _moment(text: object) -> datetime | None:
    """A moment as entries write it; None for what somebody else wrote into the stream, which is shown as it stands."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None


def url_of(entry: StreamEntry, name_of: Callable[[str], str]) -> str:
    """The page of what the entry is about; empty for what has no page."""
    for kind, route in ROUTES.items():
        if one := entry.ref(kind):
            prefix, dash, number = name_of(str(one)).partition("-")
            if not dash or not number.isdecimal():
                return ""
            return reverse(route, args=[f"{prefix}-{number}" if kind == "change" else number])
    return ""
