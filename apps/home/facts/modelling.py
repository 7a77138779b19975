"""A change model as pages show it: what it approves beforehand, who would have to agree otherwise, and what a wording changes."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.accounts.models import Person
from apps.approvals.facts import policies_for
from apps.catalog.access import services_for
from apps.catalog.models import ChangeRequired, Environment
from apps.changes.content.coverage import Coverage
from apps.changes.content.templates import Template
from apps.changes.diff import differences
from apps.changes.models import ChangeModelVersion
from apps.changes.states import Kind
from apps.home.facts.telling import listed

NOBODY = 0  # no service has this row: what is found is for every service


@dataclass(frozen=True, slots=True)
class Hint:
    """By which policy changes that begin from a model are judged in one environment."""

    environment: str
    words: str


def hints_for(kind: Kind) -> list[Hint]:
    """The policies in force now, wherever approval is asked for; a service's own policy comes before these."""
    ladder = [*Environment.objects.open_now().filter(change_required=ChangeRequired.APPROVED).order_by("rank", "pk")]
    shelf = policies_for(ladder)
    found = [(rung.name, shelf.find(environment_id=rung.pk, service_id=NOBODY, kind=kind, risk=None)) for rung in ladder]
    return [Hint(name, f"{one.name}, version {one.number}" if one else "no policy for every service") for name, one in found]


def covered_words(coverage: Coverage, *, reader: Person) -> str:
    """Where a model approves beforehand, in one line; services that the reader may not see are counted."""
    seen = {*services_for(reader).filter(public_id__in=[one.id for one in coverage.services]).values_list("public_id", flat=True)}
    names = [one.name for one in coverage.services if one.id in seen]
    hidden = len(coverage.services) - len(names)
    what = [*names, *([f"{hidden} that you may not see"] if hidden else []), *(f"every service of {one.name}" for one in coverage.teams)]
    return f"{listed(what)} in {listed([one.name for one in coverage.environments])}"


def fixed_words(coverage: Coverage) -> str:
    """What of a change may not be written otherwise."""
    return listed(["the steps of the plan", "the way back", *sorted(coverage.fixed)])


def free_words(coverage: Coverage) -> str:
    """What anybody who may ask for such a change writes as they like, and nobody looks at."""
    open_to = {"aspects": "any part of it touched", "reason": "any reason", "impact": "any impact"}
    return listed(["any version", "any period", *(words for name, words in open_to.items() if name not in coverage.fixed), "any title"])


def agreed_words(version: ChangeModelVersion) -> str:
    """Whose word a version is."""
    if version.agreed_by:
        return f"Proposed by {version.author.name}, agreed by {version.agreed_by.name}"
    return f"Written by {version.author.name}"


def wording_rows(was: Template | None, now: Template, *, reader: Person) -> list[dict[str, str]]:
    """What differs between the wording in force and a proposed one; against nothing, everything that is said."""
    before = _own(was, reader=reader) if was else {}
    own = [
        {"part": "Model", "field": name, "was": before.get(name, ""), "now": said}
        for name, said in _own(now, reader=reader).items()
        if before.get(name, "") != said
    ]
    if was is None:
        return own
    return own + [
        {"part": one.part.capitalize(), "field": one.label, "was": one.old or "", "now": one.new or ""}
        for one in differences(was.content, now.content)
    ]


def _own(says: Template, *, reader: Person) -> dict[str, str]:
    coverage = says.coverage
    return {
        "Kind": says.kind.lower(),
        "Approves beforehand": covered_words(coverage, reader=reader) if coverage else "nothing",
        "Stays as it is": fixed_words(coverage) if coverage else "",
        "Evidence": _listed(says.evidence),
        "Days": str(says.days) if says.days else "",
        "When to begin from it": says.use,
    }


def _listed(words: Iterable[str]) -> str:
    said = sorted(words)
    return listed(said) if said else ""
