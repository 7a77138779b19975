"""Sign-offs and exceptions in an export of the stream: what the verifier needs to prove each one without us."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from apps.accounts.models import Person
from apps.approvals.models import Act, ExceptionSignature, LegException, SignedStatement, SignOff
from apps.audit.vocabulary import Event
from apps.changes.content import revision_digest

CHUNK = 1000
Line = Mapping[str, object]


def sign_off_lines() -> Iterator[Line]:
    """Every sign-off ever given, withdrawn ones too: its exact bytes, its signature and what its person's passkey signed."""
    for sign_off in SignOff.objects.order_by("pk").iterator(chunk_size=CHUNK):
        yield {"id": sign_off.public_id, **_signed(sign_off), "withdrawn_at": sign_off.withdrawn_at}


def signature_lines() -> Iterator[Line]:
    """What each of the two persons of an exception signed."""
    for one in ExceptionSignature.objects.select_related("exception").order_by("pk").iterator(chunk_size=CHUNK):
        yield {"id": f"{one.exception.ref} {Act(one.act)}", "exception": one.exception.public_id, "act": one.act, **_signed(one)}


def exception_lines() -> Iterator[Line]:
    """Every exception as its row has it: what it says, and what happened to it when, by whom."""
    read = LegException.objects.select_related(
        "leg__change", "leg__target", "revision__change__requester", "revision__change__made_from__model", "revision__author",
        "asked_by", "agreed_by", "refused_by", "withdrawn_by", "reviewed_by",
    )  # fmt: skip
    for one in read.order_by("pk").iterator(chunk_size=CHUNK):
        revision = one.revision
        yield {
            "id": one.public_id,
            "ref": one.ref,
            "terms": {
                "change": one.leg.change.public_id,
                "leg": one.leg.public_id,
                "target": one.leg.target.public_id,
                "revision": {"number": revision.number, "digest": revision_digest(revision.bound, part_digests=revision.part_digests)},
                "kind": one.kind,
                "lifts": sorted(one.lifts),
                "minutes": one.minutes,
                "reason": one.reason,
            },
            "ends_at": one.ends_at,
            "due_at": one.review_due_at,
            "acts": {event: [at, by.public_id if by else None] for event, at, by in _acts(one) if at is not None},
        }


def person_lines() -> Iterator[Line]:
    """Who is active, and who came back when: what somebody signed before that counts no more."""
    rows = Person.objects.order_by("pk").values_list("public_id", "is_active", "inactive_until")
    for public_id, is_active, inactive_until in rows.iterator(chunk_size=CHUNK):
        yield {"id": public_id, "is_active": is_active, "inactive_until": inactive_until}


def _acts(one: LegException) -> list[tuple[Event, datetime | None, Person | None]]:
    return [
        (Event.EXCEPTION_ASKED, one.asked_at, one.asked_by),
        (Event.EXCEPTION_AGREED, one.agreed_at, one.agreed_by),
        (Event.EXCEPTION_DECLINED, one.refused_at, one.refused_by),
        (Event.EXCEPTION_WITHDRAWN, one.withdrawn_at, one.withdrawn_by),
        (Event.EXCEPTION_LAPSED, one.lapsed_at, None),
        (Event.EXCEPTION_REMINDED, one.due_told_at, None),
        (Event.EXCEPTION_OVERDUE, one.overdue_told_at, None),
        (Event.EXCEPTION_REVIEWED, one.reviewed_at, one.reviewed_by),
    ]


def _signed(row: SignedStatement) -> dict[str, object]:
    return {
        "statement": bytes(row.statement),
        "key_id": row.key_id,
        "alg": row.alg,
        **{name: bytes(getattr(row, name)) for name in ("signature", "credential_id", "authenticator_data", "client_data", "assertion")},
        "rp_id": row.rp_id,
        "origin": row.origin,
    }
