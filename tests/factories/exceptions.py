"""Exceptions, asked and agreed to by the real actions; the bare rows prove nothing."""

from datetime import datetime, timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.approvals.actions import ask_for_change
from apps.approvals.models import ExceptionSignature, LegException
from apps.approvals.steps import Plea
from apps.catalog.models import Target
from apps.changes.facts import current_legs
from apps.changes.models import Change, Leg
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.changes import LegFactory, RevisionFactory, make_content
from tests.factories.proving import agree_exception, ask_exception


class LegExceptionFactory(DjangoModelFactory):
    """Put in by hand and agreed to: it never counts."""

    class Meta:
        model = LegException

    leg = factory.SubFactory(LegFactory)
    revision = factory.SubFactory(RevisionFactory, change=factory.SelfAttribute("..leg.change"))
    team = factory.SelfAttribute("leg.service.team")
    kind = "FREEZE"
    minutes = 60
    reason = "Because I say so."
    asked_at = NOW
    asked_by = factory.LazyFunction(make_person)
    agreed_at = NOW
    agreed_by = factory.LazyFunction(make_person)
    ends_at = NOW + timedelta(minutes=60)
    review_due_at = NOW + timedelta(hours=72)


class ExceptionSignatureFactory(DjangoModelFactory):
    class Meta:
        model = ExceptionSignature

    exception = factory.SubFactory(LegExceptionFactory)
    act = "ASK"
    person = factory.SelfAttribute("exception.asked_by")
    given_at = NOW
    statement = b"{}"
    statement_hash = factory.Sequence(lambda n: f"{n:064d}")
    key_id = "ed25519-0"
    alg = "Ed25519"
    signature = b"\x00" * 64


def make_emergency(target: Target, requester: Person, *, now: datetime = NOW, **parts: Any) -> Change:
    """An emergency change in review."""
    content = make_content(targets=(target,), **parts)
    return ask_for_change(content=content, by=requester.actor, is_submitted=True, is_emergency=True, now=now)


def plea(kind: str = "FREEZE", **more: Any) -> Plea:
    """What somebody asks for."""
    usual: dict[str, Any] = {"minutes": 60, "reason": "Customers cannot pay.", "lifts": ("hold",) if kind == "GATE" else ()}
    return Plea(kind, **{**usual, **more})


def leg_of(change: Change) -> Leg:
    """The one leg of a change."""
    return current_legs(change).get()


def asked(change: Change, by: Person, kind: str = "FREEZE", *, now: datetime = NOW, **more: Any) -> LegException:
    """Asked for by the real action, waiting for its second person."""
    return ask_exception(leg_id=leg_of(change).pk, plea=plea(kind, **more), by=by.actor, now=now)


def agreed(change: Change, by: Person, second: Person, kind: str = "FREEZE", *, now: datetime = NOW, **more: Any) -> LegException:
    """Asked for by one person and agreed to by another one."""
    one = asked(change, by, kind, now=now, **more)
    return agree_exception(exception_id=one.pk, by=second.actor, now=now)
