"""Persons, teams, roles and tokens. A person is never deleted, only deactivated or merged into another."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from apps.accounts.identities import IdentityKind, normal_email
from apps.accounts.roles import Role
from apps.core.actors import Actor, ActorKind
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference

SESSION_SALT = "apps.accounts.models.Person.session"


class PersonSet(Lockable["Person"]):
    """Queries about persons."""

    def present(self) -> Self:
        """Persons who can act: active and not merged into another."""
        return self.filter(is_active=True, merged_into__isnull=True)


class PersonManager(BaseUserManager["Person"]):
    """What Django's and allauth's sign-in code asks of a user model; everything else uses the queryset."""

    def get_queryset(self) -> PersonSet:
        """The queryset with our own predicates."""
        return PersonSet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> "Person":
        """Find by e-mail however it is written."""
        return self.get(email=normal_email(username or ""))

    def lock(self, pk: int, now: datetime | None = None) -> tuple["Person", datetime]:
        """Lock one person; see `core.locks`."""
        return self.get_queryset().lock(pk, now)

    def present(self) -> PersonSet:
        """Persons who can act."""
        return self.get_queryset().present()


class Person(AbstractBaseUser):
    """A human being; the user model."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)
    deactivated_at = models.DateTimeField(null=True)
    inactive_until = models.DateTimeField(null=True)  # when they were last made active again: nothing signed before it counts
    let_in_at = models.DateTimeField(null=True)  # when the last one-time link of theirs was shown to an administrator
    let_in_by = models.CharField(max_length=80, default="", blank=True)
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="merged")
    joined_at = models.DateTimeField(auto_now_add=True)
    session_round = models.PositiveIntegerField(default=0)  # every session belongs to a round; the next round ends them all

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(is_active=True, deactivated_at__isnull=True) | Q(is_active=False, deactivated_at__isnull=False),
                name="person_deactivated_at",
            ),
            models.CheckConstraint(
                condition=Q(let_in_at__isnull=True, let_in_by="") | (Q(let_in_at__isnull=False) & ~Q(let_in_by="")),
                name="person_let_in_at_and_by",
            ),
            models.CheckConstraint(condition=Q(merged_into__isnull=True) | Q(is_active=False), name="merged_person_is_inactive"),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("id")), name="person_is_not_merged_into_itself"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`person:<public id>`."""
        return reference("person", self.public_id)

    @property
    def actor(self) -> Actor:
        """Who acts when this person uses the browser."""
        return Actor(ActorKind.PERSON, str(self.public_id), "session")

    @property
    def is_present(self) -> bool:
        """Whether this person can act: active and not merged into another."""
        return self.is_active and self.merged_into_id is None

    def get_full_name(self) -> str:
        """The printed name."""
        return self.name

    def has_perm(self, perm: str, obj: Any = None) -> bool:  # noqa: ANN401 - Django's own signature
        """Django's permissions are not used; roles are."""
        del perm, obj
        return False

    def get_session_auth_hash(self) -> str:
        """What a session must carry: it changes with the password and with the round."""
        return self._session_hash(None)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """The same under the secret keys that were in use before."""
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(secret)

    def _session_hash(self, secret: str | bytes | None) -> str:
        return salted_hmac(SESSION_SALT, f"{self.session_round}:{self.password}", secret=secret, algorithm="sha256").hexdigest()


class Identity(models.Model):
    """Something that stands for a person elsewhere: a verified e-mail, a git author, a CI actor, an (issuer, subject)."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="identities")
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in IdentityKind])
    issuer = models.CharField(max_length=200, default="", blank=True)
    value = models.CharField(max_length=254)
    verified_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "issuer", "value"], name="an_identity_is_of_one_person")]


class Team(models.Model):
    """People who own services together."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    retired_at = models.DateTimeField(null=True)

    objects = Lockable["Team"].as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`team:<public id>`."""
        return reference("team", self.public_id)


class Membership(models.Model):
    """A person in a team, from when to when. Who began it matters to exclusions."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=80, default="", blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "person"], condition=Q(ended_at__isnull=True), name="one_standing_membership"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="membership_ended_at_and_by",
            ),
        ]


class RoleGrant(models.Model):
    """A role of a person, for one team's services or, without a team, for everything. Who granted it matters to exclusions."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=20, choices=[(role.value, role.value) for role in Role])
    team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="role_grants")
    granted_at = models.DateTimeField()
    granted_by = models.CharField(max_length=80)  # "PERSON:<public id>" or "SYSTEM:<part>"
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=80, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "role", "team"],
                condition=Q(revoked_at__isnull=True),
                nulls_distinct=False,
                name="one_standing_role_grant",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by="") | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
                name="role_revoked_at_and_by",
            ),
            models.CheckConstraint(
                condition=Q(team__isnull=True) | ~Q(role__in=["ADMINISTRATOR", "AUDITOR"]), name="wide_roles_have_no_team"
            ),
        ]

    @property
    def words(self) -> str:
        """The role as people say it: `release manager`."""
        return Role(self.role).label.lower()


class PersonalToken(models.Model):
    """A token with which a person's scripts use the API; only its hash is kept."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    hash = models.BinaryField(unique=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    objects = Lockable["PersonalToken"].as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(expires_at__gt=F("issued_at")), name="token_expires_after_it_is_issued")]

    @property
    def reference(self) -> Reference:
        """`personal_token:<public id>`."""
        return reference("personal_token", self.public_id)


class SetUpCode(models.Model):
    """The one-time code that makes the first administrator; only its hash is kept."""

    hash = models.BinaryField()
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(models.Value(1), condition=Q(used_at__isnull=True), name="one_open_set_up_code")]


def person_actor(person_id: UUID | str, credential: str = "session") -> Actor:
    """The actor for a person known by public id."""
    return Actor(ActorKind.PERSON, str(person_id), credential)
