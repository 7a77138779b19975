"""Notifications as pages list them: the sentence of the entry, why this person, what became of the mail."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.safestring import SafeString

from apps.accounts.models import Person
from apps.audit.entries import StreamEntry
from apps.audit.sentences import sentence
from apps.audit.stream import entries_by_ids
from apps.core.references import reference
from apps.incidents.access import names_of
from apps.notifications.kinds import TOPICS, Kind, Relation
from apps.notifications.models import Delivery

TOLD_TO_THOSE_ALONE = {"delegation", "second_hand", "policy_proposal", "change_model_proposal", "relaxation", "trust"}  # whom it is about
UNSEEN = "Something that you may not see."
ROUTES = {"deployment": "deployments:deployment", "incident": "incidents:incident", "change": "home:change"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of a list; url and sub are empty where there is nothing to open or to add."""

    delivery: Delivery
    icon: str
    tone: str
    sentence: SafeString | str
    sub: str
    url: str
    topic: str
    because: str


def shown_to(reader: Person, deliveries: Iterable[Delivery]) -> list[Shown]:
    """The lines, in a fixed number of statements. What the reader may not see has no words."""
    rows = [*deliveries]
    entries = entries_by_ids({row.entry_id for row in rows})
    named = {one for entry in entries.values() for one in (*entry.refs, entry.subject)}
    named |= {reference("person", person) for entry in entries.values() if (person := entry.by.person_id)}
    names = names_of(named, reader=reader)
    return [_shown(row, entries.get(row.entry_id), names) for row in rows]


def _shown(row: Delivery, entry: StreamEntry | None, names: dict[str, str]) -> Shown:
    topic, because = TOPICS[Kind(row.kind)].label, Relation(row.relation).words
    is_seen = row.subject in names or row.subject.partition(":")[0] in TOLD_TO_THOSE_ALONE
    if entry is None or not is_seen:
        return Shown(row, "eye-off", "mute", UNSEEN, "", "", topic, because)
    said = sentence(entry, lambda text: names.get(text) or text.partition(":")[0].replace("_", " "))
    return Shown(row, said.icon, said.tone, said.text, said.sub, url_of(row.subject, names), topic, because)


def url_of(subject: str, names: dict[str, str]) -> str:
    """The page of what a line is about; empty for what has none."""
    kind, _, public_id = subject.partition(":")
    if kind == "person":
        return reverse("accounts:person", args=[public_id]) if subject in names else ""
    ref = names.get(subject, "")
    if kind not in ROUTES or "-" not in ref:
        return ""
    return reverse(ROUTES[kind], args=[ref if kind == "change" else ref.partition("-")[2]])
