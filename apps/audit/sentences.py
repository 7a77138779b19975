"""Every event as a sentence for people: icon, tone and words. Names come from the caller, texts from the entry.

In a line `{word}` is filled, `*words*` are bold, and `[what stands here]` is left out when it has a word that nobody filled."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.safestring import SafeString, mark_safe

from apps.audit.entries import StreamEntry
from apps.audit.lines import LINES, UNKNOWN
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind
from apps.core.prose import mark_hidden

NameOf = Callable[[str], str]

ERASED: Final = "(erased)"
MACHINERY: Final = "Change Control"
# Codes of the product, stored in capitals and read in small letters; a label or a name is never touched.
CODES: Final = {
    "role", "kind", "outcome", "decision", "meaning", "mode", "scope_kind", "strategy", "effect", "verdict", "after",
    "change_required", "change_required_before", "change_required_now",
}  # fmt: skip
# What is told where it is true.
FLAGS: Final = {
    "single_handed": "Single-handed: nobody else looked at it.",
    "solo": "SOLO: whoever asked for it signed it, and nobody else looked at it.",
}
SIGNED: Final = frozenset({Event.SIGN_OFF_GIVEN, Event.SIGN_OFF_WITHDRAWN, Event.SIGN_OFF_LAPSED})
QUOTED: Final = ("reason", "text", "said")
# An event that may be good or bad news takes its tone from its answer.
ANSWERS: Final = ("decision", "verdict", "outcome")
TONES: Final = {
    "REJECT": "stop", "ALLOW": "go", "PENDING": "wait", "DENY": "stop",
    "SUCCEEDED": "go",
    "SUCCESSFUL": "go", "SUCCESSFUL_WITH_ISSUES": "wait", "FAILED": "stop", "ROLLED_BACK": "stop", "LEFT": "stop", "NOT_DEPLOYED": "mute",
}  # fmt: skip
WORD = re.compile(r"\{(\w+)\}")
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
BOLD = re.compile(r"\*([^*]+)\*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of a stream as it is shown; `text` is safe markup, `sub` is plain."""

    icon: str
    tone: str
    text: SafeString
    sub: str


def sentence(entry: StreamEntry, name_of: NameOf) -> Sentence:
    """Tell an entry. `name_of` turns `service:0198…` into the name a reader knows."""
    line, words = LINES.get(entry.event), _words(entry, name_of)
    if line is None:
        line, words = UNKNOWN, words | {"event": str(entry.event)}
    sub = " ".join(part for part in (_fill(line.sub, words), *(f"“{words[key]}”" for key in QUOTED if key in words)) if part)
    tone = next((TONES[said] for key in ANSWERS if (said := str(entry.data.get(key))) in TONES), line.tone)
    return Sentence(line.icon, tone, _marked(line.text, words), sub)


def actor_name(by: Actor, name_of: NameOf) -> str:
    """Who acted, as people say it; a token speaks for its owner, and somebody who stands in for whom they do."""
    if by.kind is ActorKind.SYSTEM:
        return MACHINERY
    name = name_of(f"{by.kind.value.lower()}:{by.id}")
    return f"{name} for {name_of(f'person:{by.on_behalf_of}')}" if by.on_behalf_of else name


def _words(entry: StreamEntry, name_of: NameOf) -> dict[str, str]:
    """All that can be filled in: facts of the entry, then erasable texts, then the names of what it refers to."""
    words = {key: text for key, value in entry.data.items() if (text := _plain(key, value))}
    words |= {key: ERASED if text is None else text for key, text in entry.details.items()}
    actor = f"person:{entry.by.person_id}"
    for named in reversed(entry.refs):
        if str(named) not in {actor, str(entry.subject)}:
            words[named.kind] = name_of(str(named))
    subject = name_of(str(entry.subject))
    by = actor_name(entry.by, name_of)
    other = {} if str(entry.subject) == actor else {"other": by}
    signed = {"signer": signer_name(entry, by, name_of)} if entry.event in SIGNED else {}
    return words | {entry.subject.kind: subject, "subject": subject, "by": by} | other | signed


def signer_name(entry: StreamEntry, by: str, name_of: NameOf) -> str:
    """Whose signature it is, by the name the entry kept, with today's where that is another one."""
    kept = entry.details.get("name", "")
    if not kept:
        return ERASED if kept is None else by
    signs = entry.event is not Event.SIGN_OFF_LAPSED
    today = name_of(f"person:{entry.by.person_id}") if signs and entry.by.person_id else kept
    said = kept if today in {kept, str(entry.by.person_id), str(entry.by.person_id)[:8]} else f"{kept} (now {today})"
    return f"{said} for {name_of(f'person:{entry.by.on_behalf_of}')}" if signs and entry.by.on_behalf_of else said


def _plain(key: str, value: object) -> str:
    """A fact in words; what has none, such as true and false, is left to the line."""
    match value:
        case bool():
            return FLAGS.get(key, "") if value else ""
        case str() if key in CODES:
            return value.lower().replace("_", " ")
        case str() | int():
            return str(value)
        case [str(), *_]:
            return ", ".join(map(str, value))
        case _:
            return ""


def _fill(template: str, words: Mapping[str, str]) -> str:
    kept = OPTIONAL.sub(lambda part: part[1] if set(WORD.findall(part[1])) <= words.keys() else "", template)
    said = WORD.sub(lambda word: words.get(word[1]) or f"the {word[1].replace('_', ' ')}", kept)
    return said[:1].upper() + said[1:] if said.startswith("the ") else said


def _marked(template: str, words: Mapping[str, str]) -> SafeString:
    """Fill and mark up. The template is ours; each filled word is escaped and shows its hidden characters."""
    safe = {key: str(mark_hidden(text)) for key, text in words.items()}
    return mark_safe(_fill(BOLD.sub(r"<b>\1</b>", template), safe))  # noqa: S308 - words escaped above, the rest is `LINES`
