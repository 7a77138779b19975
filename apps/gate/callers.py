"""Whoever sends a credential to what is built on the gate: who it is, and for which services and environments it may speak."""

from dataclasses import dataclass

from django.http import HttpRequest

from apps.audit.names import actor_text
from apps.catalog.models import Target
from apps.core.actors import Actor, ActorKind
from apps.core.refusals import Refused, not_allowed
from apps.gate.answers import actor_of
from apps.gate.door import authenticate, let_in_by
from apps.gate.evaluate import UnknownToken
from apps.gate.gather import gather
from apps.gate.inputs import Credential, run_of
from apps.gate.rotations import of_one_credential
from apps.gate.rules import AskerFacts, AskerKind, Question, Run
from apps.gate.rules.asking import unfit

NOT_A_PIPELINE = not_allowed(
    "not_a_pipeline", "A personal token neither begins nor reports deployments.", "Use a gate token; an administrator issues one."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A pipeline that was let in."""

    asker: AskerFacts
    credential: Credential  # with which the gate is asked again, under lock

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return actor_of(self.asker)

    @property
    def names(self) -> frozenset[str]:
        """Who acts, as columns hold it, and every token that its own was rotated from or into: one credential, whatever its secret."""
        own = actor_text(self.actor)
        if self.asker.kind is AskerKind.WORKLOAD:  # a trust is not rotated
            return frozenset({own})
        same = of_one_credential(self.asker.pk).values_list("public_id", flat=True)
        return frozenset({own, *(actor_text(Actor(ActorKind.TOKEN, str(one))) for one in same)})

    def run(self, said: Run | None) -> Run | None:
        """Its run: what the issuer of a job says, whatever the body says."""
        return run_of(self.credential.workload) if self.credential.workload else said

    def speaks_for(self, target: Target) -> bool:
        """Whether its credential was issued for this target."""
        services, environments = self.asker.service_ids, self.asker.environment_ids
        return (services is None or target.service_id in services) and (environments is None or target.environment_id in environments)

    def act_on(self, target: Target) -> None:
        """Raises Refused where its job may run what nobody of the project has taken in: what it may not ask it may not do either."""
        job, environment = self.credential.workload, target.environment
        found = unfit(job, environment.name, environment.change_required) if job else None
        if found is not None:
            raise Refused(not_allowed(found.code, found.message, found.cure), about=target.reference)

    def target_of(self, question: Question) -> Target | None:
        """The target that a question names, by today's or older names, if this credential speaks for it."""
        facts = gather(self.credential.asks(question)).facts
        known = Target.objects.select_related("environment")
        found = known.filter(pk=facts.target.pk).first() if facts.target and not facts.target.is_retired else None
        return found if found and self.speaks_for(found) else None


def let_in(request: HttpRequest) -> Caller:
    """The pipeline behind a request, within its rate. Raises TurnedAway, UnknownToken, and Refused where it is a person's."""
    credential = authenticate(request)
    facts = gather(credential.asks(Question("", "", ()))).facts
    if not facts.asker.is_live:
        raise UnknownToken(facts.asker, facts.now)
    let_in_by(credential)
    if facts.asker.kind is AskerKind.PERSON:
        raise Refused(NOT_A_PIPELINE)
    return Caller(facts.asker, credential)
