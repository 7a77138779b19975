"""What a change model says: kind, the parts it fills in, the evidence it asks for, what it approves beforehand. Schema 1. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from apps.changes.content.checks import SHA256, why_not_content
from apps.changes.content.coverage import Coverage, coverage_body, read_coverage, why_not_coverage
from apps.changes.content.parts import Content, Period, Plan, Rollback, Scope, Story
from apps.changes.content.reading import part_from_bytes
from apps.changes.content.writing import part_bytes
from apps.changes.states import Kind
from apps.core.canonical import UnknownSchema, canonical_bytes, canonical_text, read_canonical
from apps.core.refusals import BadContent
from apps.core.texts import why_not_text

SCHEMA = 1
LONGEST_USE = 2000
MOST_DAYS = 90
ANY = "any"  # one piece of whatever kind
EVIDENCE = (ANY, "junit", "sarif", "link", "text", "json", "xml", "html", "image", "pdf", "archive", "file")
FILLED = ("scope", "plan", "rollback", "story")
NO_PERIOD = Period(None, datetime(2000, 1, 1, tzinfo=UTC))
NO_TITLE = "-"


@dataclass(frozen=True, slots=True)
class Template:
    """A change without a service, a version and a moment."""

    scope: Scope
    plan: Plan
    rollback: Rollback
    story: Story
    use: str = ""  # when to begin from it, in a sentence or two
    evidence: frozenset[str] = frozenset()  # kinds that must be shown before submission
    days: int | None = None  # how long the change is authorised; None: as always
    kind: Kind = Kind.NORMAL
    coverage: Coverage | None = None  # what it approves beforehand; None: nothing, who agrees is asked of the policies

    @property
    def content(self) -> Content:
        """As content, for checks and bytes; a template may leave the title open."""
        story = self.story if self.story.title.strip() else replace(self.story, title=NO_TITLE)
        plan = replace(self.plan, evidence=())
        return Content(replace(self.scope, items=()), plan, self.rollback, NO_PERIOD, story)


def why_not_template(template: Template) -> dict[str, list[str]]:
    """What no model may say; field to sentences."""
    found = why_not_content(template.content)
    for field, said in _own(template):
        found.setdefault(field, []).append(said)
    return found


def _own(template: Template) -> Iterator[tuple[str, str]]:
    if said := why_not_text(template.use, longest=LONGEST_USE):
        yield "use", said
    if unknown := sorted(template.evidence - set(EVIDENCE)):
        yield "evidence", f"There is no evidence of the kind {', '.join(unknown)}. Choose from {', '.join(EVIDENCE)}."
    if template.days is not None and not 1 <= template.days <= MOST_DAYS:
        yield "days", f"Give days between 1 and {MOST_DAYS}, or leave it empty."
    if template.coverage is not None:
        yield from _beforehand(template, template.coverage)


def _beforehand(template: Template, coverage: Coverage) -> Iterator[tuple[str, str]]:
    if template.kind is not Kind.STANDARD:
        yield "kind", "Only STANDARD changes are approved beforehand. Choose STANDARD, or let policies decide."
    if template.rollback.strategy is None:
        yield "rollback.strategy", "Nobody looks at such a change again. Choose how to get back."
    if not template.plan.steps:
        yield "plan.steps", "Nobody looks at such a change again. Write at least one step: the steps are what has to stay as it is."
    yield from why_not_coverage(coverage)


def template_bytes(template: Template) -> bytes:
    """The bytes of a model's version; raises BadContent for what no model may say."""
    if errors := why_not_template(template):
        raise BadContent(errors)
    parts = part_bytes(template.content)
    body = {
        "schema": SCHEMA,
        "parts": {part: read_canonical(parts[part]) for part in FILLED},
        "use": canonical_text(template.use),
        "evidence": template.evidence,
        "days": template.days,
        # Absent where they say nothing, so that what was written before has the same bytes.
        "kind": None if template.kind is Kind.NORMAL else template.kind,
        "pre_approval": coverage_body(template.coverage) if template.coverage else None,
    }
    return canonical_bytes(body)


def read_template(body: bytes) -> Template:
    """What a stored version says; raises UnknownSchema for a newer one."""
    data = read_canonical(body)
    if data["schema"] != SCHEMA:
        raise UnknownSchema(f"change model schema {data['schema']}")
    parts = {part: part_from_bytes(part, canonical_bytes(data["parts"][part])) for part in FILLED}
    story = parts["story"] if parts["story"].title != NO_TITLE else replace(parts["story"], title="")
    return Template(
        scope=parts["scope"],
        plan=parts["plan"],
        rollback=parts["rollback"],
        story=story,
        use=data["use"],
        evidence=frozenset(data["evidence"]),
        days=data.get("days"),
        kind=Kind(data.get("kind", Kind.NORMAL)),
        coverage=read_coverage(data["pre_approval"]) if "pre_approval" in data else None,
    )


def why_not_shown(template: Template, *, shown: Plan) -> dict[str, list[str]]:
    """Evidence that the model asks for and the plan does not show; field to sentences."""
    kinds = {each.kind.lower() for each in shown.evidence if SHA256.fullmatch(each.sha256)}
    missing = sorted(template.evidence - kinds - ({ANY} if kinds else set()))
    asked = ", ".join("a file or a link" if kind == ANY else kind for kind in missing)
    return {"plan.evidence": [f"The change model asks for evidence: {asked}. Upload it."]} if missing else {}
