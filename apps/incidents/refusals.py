"""Why a verb would be refused now, for the page's buttons: the same answer as the action gives."""

from apps.catalog.steps import asker
from apps.core.actors import Actor
from apps.core.refusals import Refusal
from apps.incidents.models import Incident
from apps.incidents.rules import IncidentFacts, why_not_recover, why_not_resolve
from apps.incidents.states import State


def recover_refusal(incident: Incident, *, by: Actor) -> Refusal | None:
    """Why this person cannot say that users are well again."""
    return why_not_recover(_facts(incident, by))


def resolve_refusal(incident: Incident, *, by: Actor) -> Refusal | None:
    """Why this person cannot end it."""
    return why_not_resolve(_facts(incident, by))


def _facts(incident: Incident, by: Actor) -> IncidentFacts:
    return IncidentFacts(asker(by, incident.target.service).roles, incident.ref, State(incident.state))
