"""People, pipelines and machinery at work in any order; after every step the gate and the second judge answer the same questions."""

import json
from base64 import b64decode
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from unittest.mock import patch
from uuid import UUID, uuid4

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apps.approvals.models import SignOff
from apps.catalog.models import Outcome, Target
from apps.catalog.steps import free_target, note_arrival, occupy_target
from apps.catalog.versions import Version
from apps.changes.models import Change, Leg
from apps.changes.steps import leg_done, leg_failed, leg_rolled_back, leg_started
from apps.core.references import reference
from apps.core.refusals import Refused
from apps.gate import gather as gathering
from apps.gate.answers import meant
from apps.gate.evaluate import Reply, UnknownToken, answer
from apps.gate.inputs import Credential
from apps.gate.judgement import look
from apps.gate.models import SpentTicket, Ticket, Trust
from apps.gate.rules import Action, Question
from apps.gate.steps import redeem
from apps.gate.trusting import end_trust
from apps.gate.trusts import forget_trusts
from apps.schedule.steps import release_reservation, reserve
from tests.factories.approvals import make_policy
from tests.factories.gate import OTHER_ARTIFACT
from tests.gate.never_deeds import DEEDS, PIPELINES, PLACES, SOMEBODY, Deeds, deed
from tests.gate.never_forged import Forged
from tests.gate.never_hands import Hands
from tests.gate.never_jobs import JOBS, job_token, put_by_job
from tests.gate.never_means import Means
from tests.gate.never_world import BY, HOUR, VERSIONS, World, rolled_back, trusted_keys
from tests.gate.second_judge import Opinion, named, second_judge
from tests.gate.second_judge_rows import Asked, Dump, NotJudged

OFTEN = ("put_in_an_agreement_by_hand", "ask_from_a_job")


class Gated(Deeds, Means, Forged, RuleBasedStateMachine):
    """One history. `world` was made before, in the surrounding transaction; everything here is rolled back to it."""

    world: World
    fond_of: tuple[str, ...] = ()  # deeds that are done more often than the others
    turns = count()
    seen: Counter[str] = Counter()  # what happened over all histories: a proof over nothing but refusals proves nothing

    @initialize(unsaid=st.sets(st.integers(0, 3)), strict=st.sampled_from(["", "", "author", "committer", "passkey"]))
    def begin(self, unsaid, strict=""):
        self.seen["histories"] += 1
        self.clock, self.tickets, self.running, self.allowed = self.world.start, [], [], []
        self.savepoint = rolled_back()
        self.savepoint.__enter__()
        self.stop_clock = patch.object(gathering, "_gathered", _at(self, gathering._gathered))
        self.stop_clock.start()
        self.keys, self.hands = trusted_keys(self.world.issuer), Hands(dict(self.world.hands.keys))
        forget_trusts()
        # Everything was agreed to when the world was made; here some of it was not.
        given = SignOff.objects.filter(change__in=[self.world.changes[number] for number in unsaid])
        given.update(withdrawn_at=self.world.start, withdrawn_by="SYSTEM:test")
        if strict:
            more = {"require_passkey": True} if strict == "passkey" else {"exclude": ["requester", strict]}
            make_policy(self.world.target("web/live").environment, **more)

    def teardown(self):
        if hasattr(self, "savepoint"):
            self.stop_clock.stop()
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    @rule(data=st.data())
    def somebody_does_something(self, data):
        self.do(SOMEBODY, data)

    @rule(data=st.data())
    def a_pipeline_does_something(self, data):
        self.do(PIPELINES, data)

    def do(self, group, data):
        ready = {name: given for name, when, given in DEEDS[group] if when(self)}
        often = [name for name in (*(self.fond_of or OFTEN), "redeem") if name in ready]
        name = data.draw(st.sampled_from([*sorted(ready), *often * (20 if self.fond_of else 5)]), label="deed")
        given = {key: data if value is None else data.draw(value, label=key) for key, value in ready[name].items()}
        getattr(self, name)(**given)

    # Pipelines

    @deed(
        of=PIPELINES,
        place=st.sampled_from(PLACES),
        version=st.sampled_from(sorted(VERSIONS)),
        which=st.integers(0, 2),
        key=st.sampled_from(["", "run-1"]),
        action=st.sampled_from([*Action, Action.DEPLOY]),
    )
    def ask(self, place, version, which, key, action):
        """A pipeline asks, and is told and handed what the second judge would."""
        target, token = self.world.target(place), self.world.tokens[which][1]
        wanted = VERSIONS[version] if action == Action.DEPLOY else tuple(target.previous_identities)
        question = Question(
            target.service.slug, target.environment.slug, wanted, action, credential=token, key=key and f"{key}-{place}-{version}-{action}"
        )
        self.put(question)

    def put(self, question, *, job="", is_exact=True):
        self.clock += timedelta(seconds=1)  # two answers to one evaluation are never of one moment
        try:
            told = answer(question)
        except UnknownToken:
            opinion = self.second(asked_of(question, job=job))
            assert not is_exact or opinion.why in {("token_over",), ("unknown_token",), ("job_not_taken",)}, f"not let in: {opinion}"
            return
        self.compare(question, told.body["verdict"], job=job)
        handed = [told.body[name] for name in ("ticket", "rollback_ticket") if told.body[name]]
        assert bool(handed) is (told.body["verdict"] == "ALLOW")
        self.keep(handed, told)

    @deed(of=PIPELINES, when=lambda self: self.allowed, data=None, which=st.sampled_from([0, 2]))
    def ask_where_the_answer_is_yes(self, data, which):
        question = self.allowed[data.draw(st.integers(0, len(self.allowed) - 1))]
        self.put(replace(question, credential=self.world.tokens[which][1]))

    @deed(
        of=PIPELINES,
        place=st.sampled_from(["web/live", "web/live", *PLACES]),
        version=st.sampled_from(sorted(VERSIONS)),
        job=st.sampled_from([*["ours"] * 6, *JOBS]),
        action=st.sampled_from([Action.DEPLOY, Action.DEPLOY, Action.ROLLBACK]),
        ends=st.booleans(),
    )
    def ask_from_a_job(self, place, version, job, action, ends):
        """A CI job asks with what its issuer says of it.

        ENDS: the trust that takes it ends at that very moment, and the process that answers has not read so; it may be stricter alone."""
        target, token = self.world.target(place), job_token(self.world.issuer, job)
        wanted = VERSIONS[version] if action == Action.DEPLOY else tuple(target.previous_identities)
        plain = Question(target.service.slug, target.environment.slug, wanted, action)
        question = put_by_job(plain, token)
        self.seen["job taken" if question else f"job not taken: {job}"] += 1
        if question is None:
            opinion = self.second(asked_of(plain, job=token))
            assert opinion.why in {("job_not_taken",), ("token_over",)}, f"the gate does not take {job}: {opinion}"
            return
        if ends:
            self.tried(end_trust, Trust.objects.get(grant__hash=question.credential).pk, by=self.world.actor("ada"))
            question = put_by_job(plain, token, forgets=False)
        if question is not None:
            self.put(question, job=token, is_exact=not ends)

    def keep(self, handed, told: Reply):
        for envelope in handed:
            said = json.loads(b64decode(envelope["payload"]))["predicate"]
            assert Ticket.objects.filter(public_id=said["ticket"], evaluation_id=told.evaluation).exists()
            self.tickets.append(envelope)

    @deed(of=PIPELINES, when=lambda self: self.tickets, data=None, twice=st.booleans(), which=st.sampled_from([None, None, 0, 1, 2]))
    def redeem(self, data, twice, which):
        """A ticket is spent when its deployment begins; the second judge is asked at that moment whether it may."""
        envelope = self.tickets[data.draw(st.integers(0, len(self.tickets) - 1))]
        said = json.loads(b64decode(envelope["payload"]))["predicate"]
        deployment = uuid4()
        was_spent = SpentTicket.objects.filter(ticket__public_id=said["ticket"]).exists()
        question = Question(said["service"], said["environment"], tuple(said["identities"]), Action(said["action"]), deployment=deployment)
        credential = None if which is None else Credential(self.world.tokens[which][1], is_personal=False)
        opinion = self.second(asked_of(credential.asks(question) if credential else question))
        went = self.spent(envelope, deployment, credential)
        if went:
            assert opinion.verdict == "ALLOW", f"redeemed, and the second judge says {opinion}"
            assert not was_spent, "redeemed twice"
            assert datetime.fromisoformat(said["notBefore"]) <= self.clock < datetime.fromisoformat(said["expiresAt"]), (
                "redeemed out of its time"
            )
            self.assert_is_what_was_signed(said)
            assert not (twice and self.spent(envelope, uuid4(), credential)), "redeemed twice"
            self.begin_deployment(said, deployment)
        self.seen["redeemed" if went else "not redeemed"] += 1

    def spent(self, envelope, deployment: UUID, credential: Credential | None) -> bool:
        try:
            with transaction.atomic():
                redeem(envelope, spent_for=reference("deployment", deployment), by=BY, at=self.clock, credential=credential)
        except Refused:
            return False
        return True

    def assert_is_what_was_signed(self, said):
        target = Target.objects.select_related("settings").get(public_id=said["target"])
        if said["action"] == "DEPLOY":
            assert target.settings.digest == said["settingsDigest"], "redeemed for other settings"
            leg = Leg.objects.get(public_id=said["leg"]) if said["leg"] else None
            assert leg is None or Change.objects.get(pk=leg.change_id).revision.digest == said["revisionDigest"], (
                "redeemed for another revision"
            )

    def begin_deployment(self, said, deployment: UUID):
        target = Target.objects.get(public_id=said["target"])
        occupy_target(target, deployment, by=BY, at=self.clock)
        leg = Leg.objects.filter(public_id=said["leg"]).first() if said["leg"] and said["action"] == "DEPLOY" else None
        try:
            with transaction.atomic():
                if leg is not None:
                    leg_started(leg, by=BY, at=self.clock)
        except Refused:  # the environment needs no change, and the leg that was named is over
            leg = None
        reserve(target, held_for=deployment, starts_at=self.clock, until=self.clock + HOUR, by=BY, at=self.clock)
        self.running.append((deployment, target.pk, leg.pk if leg else None, tuple(said["identities"])))

    @deed(of=PIPELINES, when=lambda self: self.running, data=None, outcome=st.sampled_from(["SUCCEEDED", "FAILED", "ROLLED_BACK"]))
    def end_a_deployment(self, data, outcome):
        deployment, target_id, leg_id, identities = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        target = Target.objects.get(pk=target_id)
        if target.occupied_by == deployment:
            free_target(target, by=BY, at=self.clock)
        note_arrival(
            target, Version("3.18.1", identities), Outcome(outcome) if outcome != "ROLLED_BACK" else Outcome.FAILED, by=BY, at=self.clock
        )
        release_reservation(deployment, by=BY, at=self.clock)
        leg = Leg.objects.filter(pk=leg_id, state="STARTED").first()
        if leg is not None:
            {"SUCCEEDED": leg_done, "FAILED": leg_failed, "ROLLED_BACK": leg_rolled_back}[outcome](leg, by=BY, at=self.clock)

    # The two judges

    def dump(self) -> Dump:
        with connection.cursor() as cursor:
            return Dump(cursor)

    def second(self, asked: Asked, rows: Dump | None = None) -> Opinion:
        return second_judge(rows or self.dump(), asked, now=self.clock, keys=self.keys)

    def compare(self, question: Question, verdict: str, rows: Dump | None = None, *, job: str = ""):
        self.seen["questions"] += 1
        try:
            opinion = self.second(asked_of(question, job=job), rows)
        except NotJudged as error:
            self.seen[f"not judged: {error}"] += 1
            return
        assert not (verdict == "ALLOW" and opinion.verdict != "ALLOW"), f"a false yes to {question}: {opinion}"
        assert verdict == opinion.verdict, f"the gate says {verdict} to {question}: {opinion}"
        self.seen[f"{question.environment}/{question.action}/{verdict}"] += 1
        self.seen.update(f"yes {ground}" for ground in opinion.on)

    @invariant()
    def both_judges_say_the_same(self):
        if not hasattr(self, "savepoint"):
            return
        rows, self.allowed = self.dump(), []
        with read_once():
            for question in self.plausible(rows):
                facts, verdict = look(question)
                self.compare(question, verdict.verdict.value, rows)
                self.permits_no_more_than_was_asked(question, meant(facts, verdict), verdict.verdict, rows)
                if verdict.verdict == "ALLOW" and question.deployment is None:
                    self.allowed.append(question)
            self.a_job_is_answered_alike(rows)

    def permits_no_more_than_was_asked(self, question: Question, permitted: tuple[str, ...], answer: str, rows: Dump):
        """A yes is for what was asked, or for less: never for an artifact that nobody named, and on the way back for what ran."""
        if answer != "ALLOW":
            return
        assert permitted, f"the ticket for {question} is for nothing"
        assert set(permitted) <= set(question.identities), f"the ticket for {question} is for {permitted}"
        if question.action is Action.ROLLBACK:
            service, environment = (named(rows, kind, getattr(question, kind)) for kind in ("service", "environment"))
            target = rows.one("catalog_target", service_id=service["id"], environment_id=environment["id"])
            assert set(permitted) == set(target["previous_identities"])

    def a_job_is_answered_alike(self, rows: Dump):
        """One job after the other, each about another place."""
        turn = next(self.turns)
        kind, place, version = (list(one)[turn % len(one)] for one in (JOBS, PLACES[:1] + PLACES, VERSIONS))
        target = self.world.target(place)
        for job in ("ours", kind):
            plain, token = Question(target.service.slug, target.environment.slug, VERSIONS[version]), job_token(self.world.issuer, job)
            question = put_by_job(plain, token)
            verdict = "DENY" if question is None else look(question)[1].verdict.value
            self.compare(question or plain, verdict, rows, job=token)
            self.seen[f"job {job}: {verdict}"] += 1

    def plausible(self, rows: Dump):
        """What pipelines would ask now: every place and version, each time with another token or none, and the way back."""
        tokens = [None, *(token for _, token in self.world.tokens), bytes(32)]
        turn = int(self.clock.timestamp())
        for number, place in enumerate(PLACES):
            target = rows.get("catalog_target", self.world.targets[place])
            names = (
                rows.get("catalog_service", target["service_id"])["slug"],
                rows.get("catalog_environment", target["environment_id"])["slug"],
            )
            for version in VERSIONS.values():
                yield Question(*names, version)
            yield Question(*names, VERSIONS["one"], credential=tokens[(turn + number) % len(tokens)])
            if before := target["previous_identities"]:
                yield Question(*names, tuple(before), Action.ROLLBACK)
                yield Question(*names, (*before, OTHER_ARTIFACT), Action.ROLLBACK)
            if by := target["occupied_by"]:
                yield Question(*names, VERSIONS["one"], deployment=by)


@contextmanager
def read_once():
    """Nothing changes while both judges are asked, and who made a change is five statements: they are read once per change."""
    read, found = gathering.makers_of, {}

    def makers(change):
        if change.pk not in found:
            found[change.pk] = read(change)
        return found[change.pk]

    with patch.object(gathering, "makers_of", makers):
        yield


def asked_of(question: Question, *, job: str = "") -> Asked:
    """The question as plain data; of a job its token alone, for by whom it is taken is for the second judge to find."""
    own = str(question.deployment) if question.deployment else ""
    token = None if job else question.credential
    return Asked(question.service, question.environment, frozenset(question.identities), question.action.value, token, job, own)


def _at(machine: Gated, gathered):
    """The gate reads the clock of the database; in a history it reads the history's."""
    return lambda question, now, **more: gathered(question, now or machine.clock, **more)
