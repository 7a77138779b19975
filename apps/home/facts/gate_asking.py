"""What a person asks the gate: read, judged at this moment, recorded nowhere."""

from dataclasses import dataclass

from django.http import Http404

from apps.accounts.models import Person
from apps.catalog.access import get_target
from apps.catalog.models import Target
from apps.catalog.versions import PATTERNS, read_identities
from apps.changes.access import get_change
from apps.changes.models import Leg
from apps.core.refusals import BadContent
from apps.gate.foreseeing import Foresight, foresee
from apps.gate.inputs import MOST_IDENTITIES
from apps.gate.rules import Action, Question, idle_rules
from apps.home.facts.evaluation import counted_rules, judged_rules

NO_TARGET = "The service has no target there. An administrator adds it."
EMPTY = "Name a change, or the identities of the version."


@dataclass(frozen=True, slots=True)
class AskedByPerson:
    """The question as it was read, and what the gate says."""

    target: Target
    question: Question
    foresight: Foresight

    @property
    def rules(self) -> list[dict[str, str]]:
        """Every rule that was judged."""
        verdict = self.foresight.verdict
        found = [{"effect": one.effect.value, "rule": one.rule, "code": one.code, "message": one.message} for one in verdict.findings]
        goes_back = self.question.action is Action.ROLLBACK
        idle = idle_rules(required=self.target.environment.change_required, has_change=verdict.leg_id is not None, goes_back=goes_back)
        return judged_rules(found, [name for name in verdict.passed if name not in idle])

    @property
    def counts(self) -> str:
        """How many rules said what."""
        return counted_rules(self.rules)


def ask_gate(person: Person, *, service: str, environment: str, change: str, version: str, action: str) -> AskedByPerson:
    """The answer to a question of a person. Raises BadContent naming the field that cannot be read."""
    try:
        target = get_target(person, service, environment)
    except Http404 as error:
        raise BadContent({"environment": [NO_TARGET]}) from error
    identities = identities_in(person, target, change=change, version=version)
    question = Question(target.service.slug, target.environment.slug, identities, Action(action))
    return AskedByPerson(target, question, foresee(question))


def identities_in(person: Person, target: Target, *, change: str, version: str) -> tuple[str, ...]:
    """The identities that are meant. Raises BadContent naming the field."""
    if version.strip():
        lines = version.split()
        if len(lines) > MOST_IDENTITIES:
            raise BadContent({"version": [f"A version has at most {MOST_IDENTITIES} identities."]})
        return read_identities([pair(line) for line in lines], "version")
    if not change.strip():
        raise BadContent({"change": [EMPTY]})
    try:
        named = get_change(person, change)
    except Http404 as error:
        raise BadContent({"change": ["There is no such change that you may see. Write it like CHG-7."]}) from error
    leg = Leg.objects.filter(change=named, target=target, is_current=True).select_related("item").first()
    if leg is None or not leg.item.identities:
        raise BadContent({"change": [f"{named.ref} names no version for this place."]})
    return tuple(leg.item.identities)


def pair(line: str) -> tuple[str, str]:
    """Kind and digits of an identity; digits alone are a commit's."""
    kind, colon, value = line.partition(":")
    return (kind.lower(), value) if colon and kind.lower() in PATTERNS else ("git", line)
