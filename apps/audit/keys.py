"""The public keys of this installation and its own id. A key is listed in the stream before anything is signed with it.

Listed is not trusted: whoever may write to the database may list a key. Trusted is what the host says, by the key file
and by the setting ACCEPTED_KEYS; the endorsement tells the verifier what the host said."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from apps.audit.models import Installation, PublicKey
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.canonical import canonical_bytes
from apps.core.references import reference
from apps.core.signing import ALG, SigningKey, base64_text, signing_key
from apps.core.signing import key_id as id_of

TYPE = "changecontrol/key-endorsement/v1"
PREFIX = TYPE.encode() + b"\n"  # keeps an endorsement's signature from being taken for another document's


def list_key(key: SigningKey, *, by: Actor, at: datetime) -> None:
    """List a public key with the earlier keys it accepts, once; called in the transaction that signs with it."""
    accepts = sorted(settings.ACCEPTED_KEYS - {key.id})
    endorsement = endorsement_bytes(key, accepts=accepts)
    signature = key.sign(PREFIX + endorsement).value
    _, is_new = PublicKey.objects.get_or_create(
        key_id=key.id,
        signature=signature,
        defaults={"alg": ALG, "public": key.public, "endorsement": endorsement, "listed_at": at},
    )
    if is_new:
        data = {
            "key_id": key.id,
            "alg": ALG,
            "public": base64_text(key.public),
            "accepts": accepts,
            "endorsement": base64_text(endorsement),
            "signature": base64_text(signature),
        }
        record(Event.KEY_LISTED, subject=reference("key", key.id), by=by, at=at, data=data)


def endorsement_bytes(key: SigningKey, *, accepts: list[str]) -> bytes:
    """What a key signs about itself: whose it is, and which earlier keys it stands for."""
    said = {"schema": 1, "type": TYPE, "installation": installation_id(), "key_id": key.id, "public": base64_text(key.public)}
    return canonical_bytes({**said, "accepts": accepts})


def public_key(key_id: str) -> bytes | None:
    """The public key with this id where this process trusts it: its own, or a listed one that ACCEPTED_KEYS names.

    None for every other key, listed or not: a row in the table is no reason to believe what was signed with it."""
    own = signing_key()
    if key_id == own.id:
        return own.public
    if key_id not in settings.ACCEPTED_KEYS:
        return None
    found = (bytes(public) for public in PublicKey.objects.filter(key_id=key_id).values_list("public", flat=True))
    return next((public for public in found if id_of(public) == key_id), None)


def trusted_keys() -> list[tuple[str, bytes, datetime | None]]:
    """The keys this process trusts, its own last: id, public bytes, and when each was first listed (None: not yet)."""
    own = signing_key()
    rows = PublicKey.objects.filter(key_id__in=settings.ACCEPTED_KEYS | {own.id}).values_list("key_id", "public", "listed_at")
    listed = {key_id: (bytes(public), at) for key_id, public, at in rows.order_by("-listed_at") if id_of(bytes(public)) == key_id}
    earlier = sorted(((key, public, at) for key, (public, at) in listed.items() if key != own.id), key=lambda row: row[2])
    return [*earlier, (own.id, own.public, listed.get(own.id, (b"", None))[1])]


def installation_id() -> UUID:
    """The id of this installation; every statement names it."""
    return installation_ids().get()


def installation_ids() -> QuerySet[Installation, UUID]:
    """The one row that holds it, for a page that reads it together with others."""
    return Installation.objects.values_list("public_id", flat=True)
