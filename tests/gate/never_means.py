"""What people sign with, who made what is deployed, and which CI jobs are trusted: the deeds of a history that are about those."""

from hypothesis import strategies as st

from apps.accounts.actions import remove_passkey
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity
from apps.accounts.roles import Role
from apps.catalog.actions import end_service_role, give_service_role
from apps.catalog.repositories.passage import Commit, Hand, Passage, as_body
from apps.changes.actions import attach_evidence
from apps.changes.models import Leg, VersionReading
from apps.changes.readings import ways_of
from apps.changes.steps.evidence import Piece
from apps.gate.models import Issuer, Trust
from apps.gate.rules import Action
from apps.gate.rules.trusting import Scope
from apps.gate.trusting import end_issuer, end_trust, propose_trust
from apps.gate.trusts import forget_trusts
from tests.factories.accounts import IdentityFactory
from tests.factories.approvals import a_rule, make_policy
from tests.factories.gate import GateTokenFactory, TrustFactory
from tests.gate.ci import PINS
from tests.gate.never_deeds import NUMBERS, PIPELINES, PLACES, deed
from tests.gate.never_world import DAY, World

REPORTS = {
    "passed": b'<testsuite><testcase name="adds"/></testsuite>',
    "failed": b'<testsuite><testcase name="adds"/><testcase name="takes"><failure/></testcase></testsuite>',
    "skipped": b'<testsuite><testcase name="adds"><skipped/></testcase></testsuite>',
}
NOBODY = "nobody@example.net"
BY_WHOM = st.sampled_from(["rita", "ruth", "tom", "bea", "max", "rita", "ruth", ""])

# What somebody writes of a grant at a moment, and of its trust. The last two are as an administrator could have meant them.
BY_HAND = {
    "waits": (lambda at: {}, {"in_force_at": None}),
    "was ended": (lambda at: {"revoked_at": at, "revoked_by": "SYSTEM:test"}, {}),
    "is over": (lambda at: {"expires_at": at - DAY / 2}, {}),
    "of an issuer that ended": (lambda at: {}, {}),
    "takes merge requests": (lambda at: {}, {"takes_merge_requests": True}),
    "for its own commit": (lambda at: {}, {"own_commit": True}),
}


class Means:
    """Passkeys, makers and trusts."""

    world: World

    @deed(name=st.sampled_from(["tom", "mia", "bea", "max", "rita"]))
    def add_or_remove_a_passkey(self, name):
        person = self.person(name)
        passkey = self.hands.passkey_of(person)
        if passkey is None:
            self.hands.enrol(person, self.clock)
        else:
            self.tried(remove_passkey, passkey.pk, by=person.actor)

    @deed(
        number=NUMBERS, name=st.sampled_from(["unit.xml", "smoke.xml"]), report=st.sampled_from(["passed", "passed", "failed", "skipped"])
    )
    def show_a_report(self, number, name, report):
        leg = Leg.objects.filter(change=self.world.changes[number], is_current=True).order_by("-pk").first()
        if leg is not None:
            by = leg.change.requester.actor
            self.tried(attach_evidence, change_id=leg.change_id, leg_id=leg.pk, piece=Piece(name, REPORTS[report]), by=by)

    @deed(
        number=NUMBERS,
        author=BY_WHOM,
        committer=BY_WHOM,
        cut=st.booleans(),
    )
    def read_what_it_brings(self, number, author, committer, cut):
        """A worker has read the commits: somebody known made them, or nobody that anybody knows; all of them, or not."""
        hands = [Hand(name.title(), self.mailbox_of(name)) for name in (author, committer)]
        for gone in ways_of(self.world.change(number)):
            if gone.passage is None:
                way = gone.way
                commit = Commit(way.commit, self.clock, "Round it", (hands[0],), hands[1])
                body = as_body(Passage(way.base, way.commit, (commit,), has_more_commits=cut))
                given = {"service_id": way.service_id, "repository_id": way.repository_id, "base": way.base, "commit": way.commit}
                VersionReading.objects.create(body=body, read_at=self.clock, **given)

    def mailbox_of(self, name):
        """As commits write it: in letters of any size."""
        return self.person(name).email.title() if name else NOBODY

    @deed(
        exclude=st.sampled_from([["author"], ["committer"], ["last_editor", "author", "committer"], ["author", "implementer"]]),
        needed=st.sampled_from([1, 1, 2, 0]),
        narrow=st.booleans(),
    )
    def keep_makers_out(self, exclude, needed, narrow):
        place = self.world.target("web/live")
        service = {"service": place.service} if narrow else {}
        make_policy(place.environment, a_rule(needed=needed), exclude=["requester", *exclude], **service)

    @deed(name=st.sampled_from(["tom", "bea", "ben"]))
    def learn_who_nobody_was(self, name):
        """The mailbox that nobody knew is somebody's: verified, or only said."""
        if not Identity.objects.filter(value=NOBODY).exists():
            verified = None if name == "ben" else self.clock
            IdentityFactory(person=self.person(name), kind=IdentityKind.GIT_AUTHOR, value=NOBODY, verified_at=verified)

    @deed(name=st.sampled_from(["ruth", "max", "tom"]), service=st.sampled_from(["web", "api"]), ends=st.booleans())
    def give_or_end_a_service_role(self, name, service, ends):
        verb = end_service_role if ends else give_service_role
        self.tried(verb, self.world.services[service], self.world.people[name], role=Role.RELEASE_MANAGER, by=self.world.actor("ada"))

    # Trusts in CI jobs

    @deed(of=PIPELINES, data=None)
    def end_a_trust(self, data):
        if trusts := [*Trust.objects.filter(grant__revoked_at=None).order_by("pk")]:
            self.tried(end_trust, trusts[data.draw(st.integers(0, len(trusts) - 1))].pk, by=self.world.actor("ada"))

    @deed(of=PIPELINES, place=st.sampled_from(PLACES), days=st.integers(1, 8), goes_back=st.booleans())
    def trust_a_job_again(self, place, days, goes_back):
        issuer = Issuer.objects.filter(ended_at=None).order_by("pk").first()
        actions = (Action.ROLLBACK,) if goes_back else (Action.DEPLOY,)
        if issuer is not None and not Trust.objects.filter(grant__expires_at=self.clock + days * DAY).exists():
            target = self.world.target(place)
            scope = Scope("Deploy job", actions, days, [target.service_id], [target.environment_id])
            self.tried(propose_trust, issuer_id=issuer.pk, pins=PINS, scope=scope, by=self.world.actor("ada"))

    @deed(of=PIPELINES, when=lambda self: len(self.tickets) > 2)
    def believe_an_issuer_no_longer(self):
        if (issuer := Issuer.objects.filter(ended_at=None).order_by("pk").first()) is not None:
            self.tried(end_issuer, issuer.pk, by=self.world.actor("ada"))

    @deed(of=PIPELINES, how=st.sampled_from(sorted(BY_HAND)))
    def put_in_a_trust_by_hand(self, how):
        """What somebody with the database would write: a trust in every job of the project, for everything and longest of all."""
        issuer = Issuer.objects.order_by("pk").first()
        at, pins = self.clock, {"audience": PINS.audience, "project": PINS.project, "environment": ""}
        times = {"issued_at": at - DAY, "expires_at": at + 300 * DAY, **BY_HAND[how][0](at)}
        if how == "of an issuer that ended":
            Issuer.objects.filter(pk=issuer.pk, ended_at=None).update(ended_at=at, ended_by="SYSTEM:test")
            forget_trusts()  # no verb did this, so nothing told the process that remembers
        more = {"in_force_at": at, **BY_HAND[how][1]}
        grant = GateTokenFactory(actions=[*Action], **times)
        TrustFactory(grant=grant, issuer=issuer, proposed_by=self.person("ada"), **pins, **more)
