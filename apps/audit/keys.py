"""The public keys of this installation and its own id. A key is listed in the stream before anything is signed with it."""

from datetime import datetime
from uuid import UUID

from apps.audit.models import Installation, PublicKey
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.references import reference
from apps.core.signing import ALG, SigningKey, base64_text


def list_key(signing_key: SigningKey, *, by: Actor, at: datetime) -> None:
    """List a public key, once; called in the transaction that signs with it. A rotated key is one more key."""
    _, is_new = PublicKey.objects.get_or_create(
        key_id=signing_key.id,
        defaults={"alg": ALG, "public": signing_key.public, "listed_at": at},
    )
    if is_new:
        data = {"key_id": signing_key.id, "alg": ALG, "public": base64_text(signing_key.public)}
        record(Event.KEY_LISTED, subject=reference("key", signing_key.id), by=by, at=at, data=data)


def public_key(key_id: str) -> bytes | None:
    """The public key with this id, or None when it was never listed."""
    public = PublicKey.objects.filter(key_id=key_id).values_list("public", flat=True).first()
    return None if public is None else bytes(public)


def installation_id() -> UUID:
    """The id of this installation; every statement names it."""
    return Installation.objects.values_list("public_id", flat=True).get()
