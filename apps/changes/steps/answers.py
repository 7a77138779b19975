"""Answers given under an Idempotency-Key: kept in the transaction of what they tell, for a day."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError

from apps.accounts.models import Person
from apps.changes.models import GivenAnswer
from apps.core.locks import database_now

KEPT_FOR = timedelta(days=1)
CONSTRAINT = "one_answer_per_key"


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """Who asks with which credential under which key, and the digest of what is asked."""

    person: Person
    credential: str
    key: str
    asked: str


def answer_given(request: KeyedRequest) -> GivenAnswer | None:
    """What was answered under this key within a day."""
    after = database_now() - KEPT_FOR
    found = GivenAnswer.objects.filter(person=request.person, credential=request.credential, key=request.key, given_at__gt=after)
    return found.first()


def keep_answer(request: KeyedRequest, *, status: int, body: str, location: str) -> None:
    """Keep an answer; what is older than a day goes. A key that is answered at the same time elsewhere ends this transaction."""
    now = database_now()
    GivenAnswer.objects.filter(person=request.person, given_at__lte=now - KEPT_FOR).delete()
    GivenAnswer.objects.create(
        person=request.person,
        credential=request.credential,
        key=request.key,
        asked=request.asked,
        status=status,
        body=body,
        location=location,
        given_at=now,
    )


def is_answered_elsewhere(error: IntegrityError) -> bool:
    """Whether the database refused a second answer under one key."""
    return CONSTRAINT in str(error)
