"""Counting a JUnit report by its test cases. What it says about itself is only compared. Pure; no entity is ever expanded."""

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

DEEPEST, MOST_ELEMENTS, MOST_NAMED, LONGEST_NAME = 100, 2_000_000, 10, 200
ROOTS = {"testsuites", "testsuite"}
OUTCOMES = ("skipped", "failure", "error")  # the worse comes later
SAID = ("tests", "failures", "errors", "skipped")
LARGEST_SAID = 10**9


class NoReport(Exception):
    """The bytes are XML that cannot be read; the text says why and what to do."""


@dataclass
class Report:
    """What was found; `root` is the name of the outermost element."""

    root: str = ""
    tests: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    failing: list[str] = field(default_factory=list)
    said: dict[str, int] = field(default_factory=dict)

    @property
    def is_junit(self) -> bool:
        """Whether the outermost element is one of a JUnit report."""
        return self.root in ROOTS

    @property
    def counted(self) -> dict[str, Any]:
        """The counts as kept, and those the report claims where they differ."""
        found = {
            "tests": self.tests,
            "failures": self.outcomes["failure"],
            "errors": self.outcomes["error"],
            "skipped": self.outcomes["skipped"],
        }
        claims = {key: value for key, value in self.said.items() if value != found[key]}
        return found | {"failing": self.failing, "claims": claims}


def read_xml(body: bytes) -> Report:
    """Read XML as a report; raises NoReport. A document type is refused: entities are what XML is attacked with."""
    reading = _Reading()
    try:
        reading.parser.Parse(body, True)  # noqa: FBT003 - expat's own signature: this is all
    except expat.ExpatError as error:
        raise NoReport(f"The XML breaks off at line {error.lineno}: {expat.errors.messages[error.code]}. Write it out again.") from error
    except (LookupError, ValueError) as error:
        raise NoReport("The XML names an encoding that cannot be read. Write it in UTF-8.") from error
    return reading.report


class _Reading:
    """One pass over the elements, keeping no more than what is counted."""

    def __init__(self) -> None:
        self.report = Report()
        self.depth = self.elements = 0
        self.case: dict[str, str] | None = None
        self.case_depth = 0
        self.outcome = -1
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self.document_type
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def document_type(self, *_: object) -> None:
        """Stop at once: nothing was expanded yet."""
        raise NoReport("The XML declares a document type, which test reports need not have. Remove it, then upload the file again.")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Count a test case, and remember the worst that is said inside it."""
        self.depth += 1
        self.elements += 1
        if self.depth > DEEPEST or self.elements > MOST_ELEMENTS:
            raise NoReport("The XML is nested too deeply or has too many elements. Split the report.")
        local = name.rpartition(":")[2]
        if not self.report.root:
            self.report.root = local
        if self.report.root not in ROOTS:
            return
        if local in ROOTS:
            self.note(local, attributes)
        elif local == "testcase":
            self.case, self.case_depth, self.outcome = attributes, self.depth, -1
            self.report.tests += 1
        elif self.case is not None and self.depth == self.case_depth + 1 and local in OUTCOMES:
            self.outcome = max(self.outcome, OUTCOMES.index(local))

    def end(self, name: str) -> None:
        """Close a test case."""
        if self.case is not None and self.depth == self.case_depth:
            self.close(self.case)
            self.case = None
        self.depth -= 1
        del name

    def close(self, case: dict[str, str]) -> None:
        """Add what became of a test case; a case inside another would not be closed twice."""
        if self.outcome < 0:
            return
        word = OUTCOMES[self.outcome]
        self.report.outcomes[word] += 1
        if word != "skipped" and len(self.report.failing) < MOST_NAMED:
            named = ".".join(filter(None, (case.get("classname", ""), case.get("name", "")))) or "a test without a name"
            self.report.failing.append(named[:LONGEST_NAME])

    def note(self, name: str, attributes: dict[str, str]) -> None:
        """Keep what the report claims: the outermost element speaks for all, else the sum of the suites directly below it."""
        outermost = self.depth == 1
        if not outermost and (self.depth > 2 or self.outermost_claims):
            return
        claims = {key: min(int(text), LARGEST_SAID) for key in SAID if (text := attributes.get(key, "")).isdecimal() and len(text) < 20}
        self.outermost_claims = outermost and bool(claims)
        self.report.said = {key: self.report.said.get(key, 0) + value for key, value in claims.items()} | {
            key: value for key, value in self.report.said.items() if key not in claims
        }
        del name

    outermost_claims = False
