"""What a change model says: the parts it fills in, what evidence it asks for, and when to use it. Canonical bytes, schema 1. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from apps.changes.content.checks import SHA256, why_not_content
from apps.changes.content.parts import Content, Period, Plan, Rollback, Scope, Story
from apps.changes.content.reading import part_from_bytes
from apps.changes.content.writing import part_bytes
from apps.core.canonical import UnknownSchema, canonical_bytes, canonical_text, read_canonical
from apps.core.refusals import BadContent
from apps.core.texts import why_not_text

SCHEMA = 1
LONGEST_USE = 2000
MOST_DAYS = 90
EVIDENCE = ("junit", "sarif", "link", "text", "json", "xml", "html", "image", "pdf", "archive", "file")
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
    }
    return canonical_bytes(body)


def read_template(body: bytes) -> Template:
    """What a stored version says; raises UnknownSchema for a newer one."""
    data = read_canonical(body)
    if data["schema"] != SCHEMA:
        raise UnknownSchema(f"change model schema {data['schema']}")
    parts = {part: part_from_bytes(part, canonical_bytes(data["parts"][part])) for part in FILLED}
    story = parts["story"] if parts["story"].title != NO_TITLE else replace(parts["story"], title="")
    return Template(parts["scope"], parts["plan"], parts["rollback"], story, data["use"], frozenset(data["evidence"]), data.get("days"))


def why_not_shown(template: Template, *, shown: Plan) -> dict[str, list[str]]:
    """Evidence that the model asks for and the plan does not show; field to sentences."""
    kinds = {each.kind.lower() for each in shown.evidence if SHA256.fullmatch(each.sha256)}
    missing = sorted(template.evidence - kinds)
    return {"plan.evidence": [f"The change model asks for evidence: {', '.join(missing)}. Upload it."]} if missing else {}
