"""How strict an environment is and what is proposed about it: queries for the verbs and for its page."""

from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404

from apps.accounts.facts import standing_grants
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import Environment
from apps.gate.models import Relaxation, RuleMode
from apps.gate.rules import Mode
from apps.gate.rules.relaxing import GRACE, REQUIRED, RelaxationFacts
from apps.gate.rules.table import RULES

WHAT = "What a change needs"
WITHOUT_US = "Minutes a yes is good without this installation"
TITLES = {REQUIRED: WHAT, GRACE: WITHOUT_US, **{rule.name: rule.title for rule in RULES}}


@dataclass(frozen=True, slots=True)
class Applied:
    """One rule, and how it is applied in an environment."""

    name: str
    title: str
    mode: str
    can_be_off: bool


def as_it_is(environment: Environment, rule: str) -> str:
    """What a change needs there, for how many minutes a yes is good without us, or how a rule is applied there."""
    if rule == REQUIRED:
        return environment.change_required
    if rule == GRACE:
        return str(environment.offline_grace_minutes)
    row = RuleMode.objects.filter(environment=environment, rule=rule).first()
    return row.mode if row else Mode.ENFORCED.value


def rules_applied(environment: Environment) -> list[Applied]:
    """Every rule of the gate, in the order of the gate."""
    modes = dict(RuleMode.objects.filter(environment=environment).values_list("rule", "mode"))
    return [Applied(rule.name, rule.title, modes.get(rule.name, Mode.ENFORCED.value), rule.can_be_off) for rule in RULES]


def open_relaxations(environment: Environment) -> QuerySet[Relaxation]:
    """What is proposed there and not decided, the oldest first."""
    found = Relaxation.objects.filter(environment=environment, decided_at__isnull=True)
    return found.select_related("environment", "proposed_by__merged_into").order_by("proposed_at", "pk")


def get_relaxation(public_id: UUID | str) -> Relaxation:
    """One proposal; 404 when there is none."""
    try:
        return Relaxation.objects.select_related("environment", "proposed_by__merged_into").get(public_id=public_id)
    except (Relaxation.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def relaxation_facts(relaxation: Relaxation) -> RelaxationFacts:
    """One proposal as rules see it; whoever was merged is who they are merged into."""
    by: Person = relaxation.proposed_by.merged_into or relaxation.proposed_by
    return RelaxationFacts(
        proposed_by=by.public_id,
        proposer=by.name,
        is_proposer_administrator=standing_grants().filter(person=by, role=Role.ADMINISTRATOR).exists(),
        is_decided=relaxation.decided_at is not None,
        is_outdated=as_it_is(relaxation.environment, relaxation.rule) != relaxation.before,
    )
