"""What a person proves themselves with when they sign. A passkey is never deleted: what it signed stays its."""

from django.db import models
from django.db.models import Q

from apps.accounts.models.people import Person
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference

LARGEST_COUNTER = 2**32 - 1


class Passkey(models.Model):
    """A WebAuthn credential as it was enrolled; `authenticator` is what signs in with it, and goes when it is removed."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="passkeys")
    authenticator = models.OneToOneField("mfa.Authenticator", null=True, on_delete=models.SET_NULL, related_name="+")
    credential_id = models.BinaryField(unique=True)
    public_key = models.BinaryField()  # SubjectPublicKeyInfo, DER
    algorithm = models.IntegerField()  # COSE: -7 ES256, -8 EdDSA, -257 RS256
    rp_id = models.CharField(max_length=253)
    name = models.CharField(max_length=60)
    sign_count = models.BigIntegerField(default=0)
    enrolled_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    objects = Lockable["Passkey"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(sign_count__range=(0, LARGEST_COUNTER)), name="passkey_counter_is_32_bits"),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True) | Q(authenticator__isnull=True), name="removed_passkey_signs_nobody_in"
            ),
        ]

    @property
    def reference(self) -> Reference:
        """`passkey:<public id>`."""
        return reference("passkey", self.public_id)
