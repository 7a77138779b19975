"""One-time links with which a person sets a password. Whoever has one can sign in as that person until it is used."""

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse

from apps.accounts.models import Person


def one_time_link(person: Person) -> str:
    """The address of the page that sets a password; void once used, once the person signed in, and after three days."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(person)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(person), "key": key})
    return f"{settings.PUBLIC_URL}{path}"
