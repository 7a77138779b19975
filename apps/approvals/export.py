"""Sign-offs in an export of the stream: what the verifier needs to prove each one without us."""

from collections.abc import Iterator, Mapping

from apps.approvals.models import SignOff

CHUNK = 1000


def sign_off_lines() -> Iterator[Mapping[str, object]]:
    """Every sign-off ever given, withdrawn ones too: its exact bytes, its signature and what its person's passkey signed."""
    for sign_off in SignOff.objects.order_by("pk").iterator(chunk_size=CHUNK):
        yield {
            "id": sign_off.public_id,
            "statement": bytes(sign_off.statement),
            "key_id": sign_off.key_id,
            "alg": sign_off.alg,
            "signature": bytes(sign_off.signature),
            "credential_id": bytes(sign_off.credential_id),
            "authenticator_data": bytes(sign_off.authenticator_data),
            "client_data": bytes(sign_off.client_data),
            "assertion": bytes(sign_off.assertion),
            "rp_id": sign_off.rp_id,
            "origin": sign_off.origin,
            "withdrawn_at": sign_off.withdrawn_at,
        }
