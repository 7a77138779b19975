"""What every signed row carries: the statement's bytes, the server's signature and, where there is one, the passkey's."""

from django.db import models


class SignedStatement(models.Model):
    """The bytes that one person signed, and what proves it."""

    statement = models.BinaryField()
    statement_hash = models.CharField(max_length=64, unique=True)
    key_id = models.CharField(max_length=40)
    alg = models.CharField(max_length=20)
    signature = models.BinaryField()
    # Filled where the person signs with a passkey (WebAuthn); empty otherwise.
    credential_id = models.BinaryField(default=b"")
    authenticator_data = models.BinaryField(default=b"")
    client_data = models.BinaryField(default=b"")
    assertion = models.BinaryField(default=b"")
    rp_id = models.CharField(max_length=253, default="", blank=True)
    origin = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        abstract = True
