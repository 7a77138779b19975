"""The stream's tables. Imported by this app alone; others call `record` and read through `stream`."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact

from apps.audit.fields import CurrentTransactionId, Octets, TransactionId
from apps.core.ids import new_id

HASH_BYTES = 32
PUBLIC_KEY_BYTES, SIGNATURE_BYTES = 32, 64  # Ed25519


class Entry(models.Model):
    """One line of the stream. `body` is what is hashed and sealed; the other columns only find it.

    Inserted by `record` alone: the app role may not name `xid`, so nobody can choose when an entry becomes sealable."""

    id = models.UUIDField(primary_key=True, default=new_id)
    event = models.CharField(max_length=40)
    at = models.DateTimeField()
    subject = models.CharField(max_length=80)
    refs = ArrayField(models.CharField(max_length=80))
    body = models.BinaryField()
    xid = TransactionId(db_default=CurrentTransactionId())

    class Meta:
        indexes = [
            models.Index(fields=["xid", "id"], name="entry_sealing"),
            models.Index(fields=["at", "id"], name="entry_newest"),
            GinIndex(fields=["refs"], name="entry_refs"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(event__regex=r"^[a-z_]+\.[a-z_]+$"), name="event_is_noun_past"),
            models.CheckConstraint(condition=Q(refs__contains=[F("subject")]), name="refs_name_the_subject"),
        ]


class Detail(models.Model):
    """Free text of an entry, kept apart so that it can be erased; the entry holds a salted commitment to it."""

    pk = models.CompositePrimaryKey("entry_id", "field")
    entry = models.ForeignKey(Entry, db_index=False, on_delete=models.PROTECT, related_name="details")
    field = models.CharField(max_length=40)
    salt = models.BinaryField()
    text = models.TextField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Exact(Octets("salt"), HASH_BYTES), name="salt_is_long_enough")]


class Seal(models.Model):
    """A sealed run of entries: which, in which order, and the head that binds all seals before it.

    `system` and `floor` serve the next sealing only: in cluster `system` every entry with a lower xid is sealed."""

    number = models.BigIntegerField(primary_key=True)
    first_position = models.BigIntegerField()
    count = models.IntegerField()
    entry_ids = ArrayField(models.UUIDField())
    leaves = models.BinaryField()
    body = models.BinaryField()
    previous_head = models.BinaryField()
    head = models.BinaryField()
    sealed_at = models.DateTimeField()
    system = models.CharField(max_length=20)
    floor = TransactionId()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first_position"], name="one_seal_per_position"),
            models.UniqueConstraint(fields=["previous_head"], name="one_seal_after_another"),
            models.CheckConstraint(condition=Q(number__gte=1, first_position__gte=1, count__gte=1), name="seal_is_not_empty"),
            models.CheckConstraint(condition=Q(entry_ids__len=F("count")), name="seal_lists_its_entries"),
            models.CheckConstraint(condition=Exact(Octets("leaves"), F("count") * HASH_BYTES), name="seal_lists_its_leaves"),
            models.CheckConstraint(condition=Exact(Octets("head"), HASH_BYTES), name="head_is_a_hash"),
            models.CheckConstraint(condition=Exact(Octets("previous_head"), HASH_BYTES), name="previous_head_is_a_hash"),
        ]


class Place(models.Model):
    """Where a sealed entry stands in the stream: an index of the seals' lists, written with them and checked against them."""

    # No foreign key in the database: it would lock and so rewrite every entry that is sealed.
    entry = models.OneToOneField(Entry, primary_key=True, db_constraint=False, on_delete=models.PROTECT, related_name="place")
    position = models.BigIntegerField(unique=True)


class PublicKey(models.Model):
    """A public key of this installation with what it said, signed by itself, about the earlier keys it accepts.

    A key that accepts others than before is listed once more. That a row is here proves nothing: see `keys.public_key`."""

    pk = models.CompositePrimaryKey("key_id", "signature")
    key_id = models.CharField(max_length=40)
    alg = models.CharField(max_length=20)
    public = models.BinaryField()
    endorsement = models.BinaryField()
    signature = models.BinaryField()  # Ed25519 signs the same bytes alike, so one endorsement is one row
    listed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(key_id="") & Q(Exact(Octets("public"), PUBLIC_KEY_BYTES)), name="key_is_whole"),
            models.CheckConstraint(condition=Exact(Octets("signature"), SIGNATURE_BYTES), name="endorsement_is_signed"),
        ]


class Installation(models.Model):
    """The one row that names this installation; made by the migration, moved with a dump."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    public_id = models.UUIDField()
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_installation")]


class Cursor(models.Model):
    """How far one reader has followed the sealed stream: the position it read last, and how often it failed at which one after."""

    name = models.CharField(max_length=40, primary_key=True)
    position = models.BigIntegerField(default=0)
    failing_position = models.BigIntegerField(null=True)
    failures_count = models.SmallIntegerField(db_default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(position__gte=0), name="cursor_is_a_position")]
