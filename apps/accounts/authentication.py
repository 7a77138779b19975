"""Who asks the API: a person's script with a personal token. Sessions and gate tokens are read elsewhere."""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts import models
from apps.accounts.models import Person, person_actor
from apps.accounts.steps import token_hash
from apps.core.actors import Actor

PREFIX = b"ccp_"
USED_EVERY = timedelta(minutes=1)  # so that a busy script does not write a row per request
REFUSED = "This token is unknown, expired, revoked, or of somebody who is not active. Issue another one on your profile page."


class PersonalToken(BaseAuthentication):
    """`Authorization: Bearer ccp_…`; `request.user` is the person and `request.auth` the actor."""

    def authenticate(self, request: Request) -> tuple[Person, Actor] | None:
        """The person behind the token; None when the request carries no personal token."""
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer" or not secret.strip().startswith(PREFIX):
            return None
        token = self._usable(secret.strip().decode("latin-1"))
        if token is None:
            raise AuthenticationFailed(REFUSED)
        return token.person, person_actor(token.person.public_id, f"personal_token:{token.public_id}")

    def authenticate_header(self, request: Request) -> str:
        """How to ask: without it a refusal would be told as 403."""
        del request
        return 'Bearer realm="change control"'

    def _usable(self, secret: str) -> models.PersonalToken | None:
        token = (
            models.PersonalToken.objects.select_related("person")
            .filter(hash=token_hash(secret), revoked_at__isnull=True, expires_at__gt=Now())
            .filter(person__is_active=True, person__merged_into__isnull=True)
            .first()
        )
        if token is not None:
            long_ago = Q(used_at__isnull=True) | Q(used_at__lt=Now() - USED_EVERY)
            models.PersonalToken.objects.filter(long_ago, pk=token.pk).update(used_at=Now())
        return token
