"""The search grammar: terms `key:value,value`, `-` to leave out, "free text". Pure; reading never raises, printing reads back the same."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from apps.home.search.terms import SPECS, Spec, Takes, read_value, why_not_value

LONGEST, MOST_TERMS, MOST_VALUES = 500, 20, 20
KEY = re.compile(r"([A-Za-z_]+):")
OP = re.compile(r">=|<=|>|<|=")
BARE = re.compile(r'[^\s",]+')
QUOTED = re.compile(r'"((?:[^"]|"")*)"')
WORD = re.compile(r"\S+")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]")
OPERATORS = frozenset({"AND", "OR", "NOT", "&&", "||"})
ELSEWHERE = (
    "AND, OR, NOT and brackets are looked for as words. All terms must hold by themselves; "
    "a comma between values means or, as in state:draft,approved; a minus in front leaves out."
)
LETTER = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: any of its values, or free text where `key` is empty."""

    key: str
    values: tuple[str, ...]
    op: str = ""
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What cannot be read: the term as it was written, the fact and the cure."""

    term: str
    message: str
    cure: str


@dataclass(frozen=True, slots=True)
class Query:
    """What was understood; every term must hold."""

    terms: tuple[Term, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def hint(self) -> str:
        """What to write instead, where words of other searches stand in it: here they are words like any other."""
        said = {value for term in self.terms if not term.key for value in term.values}
        return ELSEWHERE if any(one in OPERATORS or one.startswith("(") or one.endswith(")") for one in said) else ""

    def without(self, term: Term) -> "Query":
        """The same question with one condition less."""
        return Query(tuple(one for one in self.terms if one is not term))


def parse(text: str, *, specs: Mapping[str, Spec] = SPECS) -> Query:
    """Read a search of these terms. What cannot be read is told in `problems`, and is no term."""
    if len(text) > LONGEST:
        return _only(text[:20] + "…", f"The search has {len(text)} characters.", f"Write at most {LONGEST}.")
    if hidden := CONTROL.search(text):
        return _only(f"U+{ord(hidden.group()):04X}", "The search holds a control character.", "Write it again without.")
    terms: list[Term] = []
    problems: list[Problem] = []
    for one in _read(text, specs):
        if isinstance(one, Term):
            terms.append(one)
        else:
            problems.append(one)
    if len(terms) > MOST_TERMS:
        return _only(printed_term(terms[MOST_TERMS]), f"The search has {len(terms)} terms.", f"Write at most {MOST_TERMS}.")
    return Query(tuple(terms), tuple(problems))


def printed(query: Query) -> str:
    """The search as text that is read as the same query."""
    return " ".join(printed_term(term) for term in query.terms)


def printed_term(term: Term) -> str:
    """One term as text."""
    minus = "-" if term.is_negated else ""
    if not term.key:
        word = term.values[0]
        return minus + (word if WORD.fullmatch(word) and not word.startswith(("-", '"')) and not KEY.match(word) else _quoted(word))
    return f"{minus}{term.key}:{term.op}{','.join(_printed_value(value) for value in term.values)}"


def _printed_value(value: str) -> str:
    return value if BARE.fullmatch(value) and not OP.match(value) else _quoted(value)


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _only(term: str, message: str, cure: str) -> Query:
    return Query(problems=(Problem(term, message, cure),))


def _read(text: str, specs: Mapping[str, Spec]) -> Iterator[Term | Problem]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        begin, is_negated = at, text[at] == "-"
        at += is_negated
        if key := KEY.match(text, at):
            one, at = _keyed(text, key, begin=begin, is_negated=is_negated, specs=specs)
        else:
            one, at = _free(text, at, is_negated=is_negated)
        yield one


def _free(text: str, at: int, *, is_negated: bool) -> tuple[Term | Problem, int]:
    quoted = QUOTED.match(text, at)
    if quoted and (quoted.end() == len(text) or text[quoted.end()].isspace()):
        said, end = quoted[1].replace('""', '"'), quoted.end()
    elif text[at : at + 1] == '"':
        return _unclosed(text, at)
    elif word := WORD.match(text, at):
        said, end = word.group(), word.end()
    else:
        return Problem("-", "A minus stands alone.", "Write what to leave out right behind it."), at
    if not LETTER.search(said):
        return Problem(text[at:end], f"“{said}” holds no letter and no digit.", "Write a word, or take it out."), end
    return Term("", (said,), "", is_negated), end


def _unclosed(text: str, at: int) -> tuple[Problem, int]:
    return Problem(text[at:], "A quotation mark is opened and not closed.", 'Write a " at the end of the words.'), len(text)


def _keyed(text: str, key: re.Match[str], *, begin: int, is_negated: bool, specs: Mapping[str, Spec]) -> tuple[Term | Problem, int]:
    spec, at = specs.get(key[1].lower()), key.end()
    op = found.group() if (found := OP.match(text, at)) else ""
    values, end, fault = _values(text, at + len(op))
    written = text[begin:end]
    if fault is not None:
        return fault, end
    if spec is None:
        known = ", ".join(f"{one}:" for one in specs)
        return Problem(written, f"There is no term “{key[1].lower()}:”.", f"Use {known}, or put the words in quotation marks."), end
    return _checked(spec, values, op=op, is_negated=is_negated, written=written), end


def _checked(spec: Spec, values: list[str], *, op: str, is_negated: bool, written: str) -> Term | Problem:
    if not values or not all(value.strip() for value in values):
        return Problem(written, f"Nothing stands behind {spec.key}:.", f"Write {spec.hint}.")
    if len(values) > MOST_VALUES:
        return Problem(written, f"{spec.key}: lists {len(values)} values.", f"Write at most {MOST_VALUES}.")
    if op and spec.takes is not Takes.NUMBER:
        return Problem(written, f"{spec.key}: does not compare with {op}.", f"Write {spec.key}: and then {spec.hint}.")
    read = tuple(dict.fromkeys(read_value(spec, value.strip()) for value in values))
    for value in read:
        if wrong := why_not_value(spec, value):
            return Problem(written, *wrong)
    return Term(spec.key, read, op, is_negated)


def _values(text: str, at: int) -> tuple[list[str], int, Problem | None]:
    """The values behind a colon, to the next blank."""
    values: list[str] = []
    while at < len(text) and not text[at].isspace():
        if text[at] == ",":
            at += 1
        elif quoted := QUOTED.match(text, at):
            values.append(quoted[1].replace('""', '"'))
            at = quoted.end()
        elif text[at] == '"':
            fault, at = _unclosed(text, at)
            return values, at, fault
        elif bare := BARE.match(text, at):
            values.append(bare.group())
            at = bare.end()
    return values, at, None
