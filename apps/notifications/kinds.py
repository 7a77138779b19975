"""What people are told about, when, and why them: as data. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a mail is about; one setting each."""

    ACCOUNT = "ACCOUNT"
    SIGN_OFF_ASKED = "SIGN_OFF_ASKED"
    SIGN_OFF_LAPSED = "SIGN_OFF_LAPSED"
    SIGN_OFF_REMINDED = "SIGN_OFF_REMINDED"
    EXCEPTION_ASKED = "EXCEPTION_ASKED"
    EXCEPTION_DECIDED = "EXCEPTION_DECIDED"
    PROPOSAL_ASKED = "PROPOSAL_ASKED"
    REVIEW_OVERDUE = "REVIEW_OVERDUE"
    CHANGE_RETURNED = "CHANGE_RETURNED"
    DELEGATION_GIVEN = "DELEGATION_GIVEN"
    DEPLOYMENT_NEEDS_HUMAN = "DEPLOYMENT_NEEDS_HUMAN"
    CHANGE_DECIDED = "CHANGE_DECIDED"
    CHANGE_WATCHED = "CHANGE_WATCHED"
    MENTIONED = "MENTIONED"
    COMMENTED = "COMMENTED"
    DEPLOYMENT_FAILED = "DEPLOYMENT_FAILED"
    INCIDENT_OPENED = "INCIDENT_OPENED"


class Timing(StrEnum):
    """When somebody is told."""

    NOW = "NOW"
    DIGEST = "DIGEST"
    NEVER = "NEVER"

    @property
    def label(self) -> str:
        """The timing as people say it."""
        return {"NOW": "At once", "DIGEST": "In the digest", "NEVER": "Never"}[self.value]


class Relation(StrEnum):
    """Why this person is told; the words end the sentence "You get this because …"."""

    HOLDER = "HOLDER"
    PRINCIPAL = "PRINCIPAL"
    ASKED = "ASKED"
    SIGNER = "SIGNER"
    DELEGATE = "DELEGATE"
    DEBTOR = "DEBTOR"
    ASKER = "ASKER"
    MENTIONED = "MENTIONED"
    REQUESTER = "REQUESTER"
    OWNER = "OWNER"
    ORDERER = "ORDERER"
    OPERATOR = "OPERATOR"
    WATCHER = "WATCHER"
    SPEAKER = "SPEAKER"

    @property
    def words(self) -> str:
        """Why, as people say it."""
        return WORDS[self]


WORDS = {
    Relation.HOLDER: "it is your account",
    Relation.PRINCIPAL: "it was signed in your place",
    Relation.ASKED: "your agreement is asked for",
    Relation.SIGNER: "you signed it",
    Relation.DELEGATE: "you stand in for somebody",
    Relation.DEBTOR: "your team owes it",
    Relation.ASKER: "you asked for it",
    Relation.REQUESTER: "you asked for this change",
    Relation.MENTIONED: "somebody named you",
    Relation.OWNER: "you answer for the service",
    Relation.ORDERER: "you ordered the deployment",
    Relation.OPERATOR: "you operate the service",
    Relation.WATCHER: "you are told about this change",
    Relation.SPEAKER: "you commented on it",
}
# Somebody who is told for several reasons reads the one that asks most of them.
WEIGHT = {relation: place for place, relation in enumerate(Relation)}


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind as people choose it. Where work waits for the person, "never" is no choice."""

    label: str
    text: str
    is_needed: bool = False
    usual: Timing = Timing.NOW
    waits_for_hours: bool = True  # may wait for the person's working hours
    is_at_once: bool = False  # nothing may put it off

    @property
    def choices(self) -> tuple[Timing, ...]:
        """What may be chosen."""
        if self.is_at_once:
            return (Timing.NOW,)
        return (Timing.NOW, Timing.DIGEST) if self.is_needed else tuple(Timing)


TOPICS = {
    Kind.ACCOUNT: Topic(
        "Your account",
        "What you sign in and sign with changed, or somebody signed in your place.",
        is_needed=True,
        waits_for_hours=False,
        is_at_once=True,
    ),
    Kind.SIGN_OFF_ASKED: Topic("Your agreement is asked for", "A change waits for your sign-off.", is_needed=True),
    Kind.SIGN_OFF_LAPSED: Topic(
        "Your sign-off lapsed", "An edit changed what you signed; you re-affirm from the difference.", is_needed=True
    ),
    Kind.SIGN_OFF_REMINDED: Topic("Reminders and escalations", "Something still waits for your sign-off.", is_needed=True),
    Kind.EXCEPTION_ASKED: Topic(
        "An exception asks for you", "It waits for its second person, and you may be that one.", is_needed=True, waits_for_hours=False
    ),
    Kind.PROPOSAL_ASKED: Topic("A proposal asks for you", "It waits for a second person, and you may be that one.", is_needed=True),
    Kind.EXCEPTION_DECIDED: Topic(
        "Your exception was decided", "Refused, withdrawn, or over because nobody decided.", is_needed=True, waits_for_hours=False
    ),
    Kind.REVIEW_OVERDUE: Topic(
        "A review is owed", "Of an exception: when it is agreed to, a day before it is due, and when it is overdue.", is_needed=True
    ),
    Kind.CHANGE_RETURNED: Topic("Your change came back", "It was sent back to you, or its review is yours to write.", is_needed=True),
    Kind.DELEGATION_GIVEN: Topic("You stand in for somebody", "A delegation to you begins or ends.", is_needed=True),
    Kind.DEPLOYMENT_NEEDS_HUMAN: Topic(
        "A deployment needs a person", "Nobody but a person can say what is true.", is_needed=True, waits_for_hours=False
    ),
    Kind.CHANGE_DECIDED: Topic("Your change was decided", "Approved, rejected, expired, withdrawn or in review again."),
    Kind.CHANGE_WATCHED: Topic("A change you are told about", "The same about changes of others that name you.", usual=Timing.DIGEST),
    Kind.MENTIONED: Topic("Somebody names you", "A comment mentions you."),
    Kind.COMMENTED: Topic("Comments", "On your changes and on those you commented on or are told about.", usual=Timing.DIGEST),
    Kind.DEPLOYMENT_FAILED: Topic("A deployment failed", "It failed, or was rolled back, for a service of yours.", waits_for_hours=False),
    Kind.INCIDENT_OPENED: Topic("An incident opened", "Something is wrong for users of a service of yours.", waits_for_hours=False),
}
NEEDED = frozenset(kind for kind, topic in TOPICS.items() if topic.is_needed)


def timing_of(kind: Kind, chosen: str | None) -> Timing:
    """When a kind is told: as chosen where that is a choice, else as usual."""
    topic = TOPICS[kind]
    return Timing(chosen) if chosen in topic.choices else topic.usual
