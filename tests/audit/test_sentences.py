"""Every event has a sentence, an icon of the sprite and a tone; names and texts are escaped."""

import re
from pathlib import Path
from uuid import uuid4

import pytest

from apps.audit.entries import StreamEntry
from apps.audit.lines import LINES
from apps.audit.sentences import WORD, sentence
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind, system
from apps.core.icons import icon_names
from apps.core.references import Reference, reference
from tests.conftest import NOW
from tests.factories.audit import make_actor

TONES = {"go", "wait", "stop", "freeze", "unknown", "ink", "mute"}
CSS = Path(__file__).resolve().parents[2] / "static" / "css"
BY = make_actor()


def entry(event: str, *, subject: Reference | None = None, refs=(), data=None, details=None, by: Actor = BY) -> StreamEntry:
    about = subject or reference(event.split(".", maxsplit=1)[0], "1")
    actor = (reference("person", by.person_id),) if by.person_id else ()
    return StreamEntry(uuid4(), event, NOW, by, about, (about, *actor, *refs), data or {}, details or {})


def name_of(text: str) -> str:
    return {f"person:{BY.id}": "Ada", "change:1": "CHG-1042", "service:1": "fares", "environment:1": "production"}.get(text, f"<{text}>")


def said(*args, **kwargs) -> str:
    return re.sub("</?b>", "", sentence(entry(*args, **kwargs), name_of).text)


@pytest.mark.parametrize("event", Event)
def test_every_event_is_told_whatever_the_entry_holds(event):
    for refs in ((), tuple(reference(kind, "1") for kind in ("service", "environment", "change", "team", "deployment"))):
        told = sentence(entry(event, refs=refs), name_of)

        assert told.icon in icon_names()
        assert told.tone in TONES
        assert f".tone-{told.tone}" in "".join(path.read_text() for path in CSS.glob("*.css"))
        assert re.search(r"<b>[^<]+</b>", told.text)
        assert told.text.endswith(".")
        assert not set("{}[]*") & set(told.text + told.sub)
        assert "  " not in told.text
        assert not re.search(r"\bplease\b|\boops\b|invalid|error occurred|!", told.text + told.sub, re.IGNORECASE)


def test_event_without_words_is_told_neutrally_and_named():
    told = sentence(entry("moon.landed", subject=reference("service", "1"), data={"decision": ["x"]}, details={"reason": "x"}), name_of)

    assert told.text == "This version has <b>no words</b> for what happened to fares."
    assert told.sub == "Event: moon.landed. “x”"
    assert (told.icon in icon_names(), told.tone) == (True, "unknown")


def test_no_two_events_are_told_alike():
    assert len({line.text + line.sub for line in LINES.values()}) == len(Event)


@pytest.mark.parametrize("event", Event)
def test_lines_keep_their_optional_parts_whole(event):
    for template in (LINES[event].text, LINES[event].sub):
        assert template.count("[") == template.count("]")
        assert template.count("*") % 2 == 0
        assert all(WORD.search(part) for part in re.findall(r"\[([^\]]*)\]", template)), "an optional part needs a word"


def test_entry_is_told_with_names_and_its_reason_in_quotes():
    change, service, environment = reference("change", "1"), reference("service", "1"), reference("environment", "1")

    assert said(Event.CHANGE_REVISED, subject=change, data={"revision": 4}) == "Ada saved revision 4 of CHG-1042."
    assert said(Event.LEG_DONE, refs=[change, service, environment]) == "CHG-1042 is done in production for fares."
    assert sentence(entry(Event.CHANGE_REVISED, subject=change, details={"reason": "It was “short”."}), name_of).sub == "“It was “short”.”"
    assert said(Event.DEPLOYMENT_SUCCEEDED, refs=[service, environment], details={"label": "2.4.1"}).endswith(
        "production: fares runs 2.4.1."
    )


def test_codes_are_read_in_small_letters_and_labels_as_they_are():
    told = said(Event.ROLE_GRANTED, subject=reference("person", "2"), data={"role": "RELEASE_MANAGER"})

    assert told == "Ada granted &lt;person:2&gt; the role release manager."
    assert "V2" in said(Event.VERSION_ARRIVED, data={"outcome": "ROLLED_BACK"}, details={"label": "V2"})


def test_bad_news_takes_the_tone_of_its_answer():
    assert sentence(entry(Event.SIGN_OFF_GIVEN, data={"decision": "APPROVE"}), name_of).tone == "go"
    assert sentence(entry(Event.SIGN_OFF_GIVEN, data={"decision": "REJECT"}), name_of).tone == "stop"
    assert sentence(entry(Event.GATE_ANSWERED, data={"verdict": "PENDING"}), name_of).tone == "wait"


def test_who_entered_it_is_said_only_when_it_was_somebody_else():
    assert sentence(entry(Event.PERSON_JOINED, subject=reference("person", BY.id)), name_of).sub == ""
    assert sentence(entry(Event.PERSON_JOINED, subject=reference("person", "2")), name_of).sub == "Entered by Ada."


def test_erased_text_is_said_to_be_erased():
    assert sentence(entry(Event.CHANGE_COMMENTED, details={"text": None}), name_of).sub == "“(erased)”"


def test_names_are_escaped_and_hidden_characters_shown():
    told = sentence(entry(Event.VERSION_ADOPTED, details={"label": "<script>\u202e*x*{by}"}), name_of).text

    assert "&lt;script&gt;" in told
    assert "U+202E" in told
    assert "*x*{by}" in told
    assert "<script>" not in told


@pytest.mark.parametrize(
    ("by", "name"),
    [
        (system("sweeper"), "Change Control"),
        (Actor(ActorKind.TOKEN, "7", "ccp_", on_behalf_of=BY.id), "&lt;token:7&gt; for Ada"),
        (Actor(ActorKind.WORKLOAD, "7"), "&lt;workload:7&gt;"),
    ],
)
def test_machines_are_named_and_their_owner_too(by, name):
    assert said(Event.HOLD_PLACED, by=by) == f"{name} placed a hold."
