"""The pages of allauth that we offer, each in one transaction with what it records. E-mail addresses are changed elsewhere."""

from allauth.account.urls import urlpatterns as offered
from django.db import transaction
from django.urls.resolvers import URLPattern

NAMES = frozenset(
    {
        "account_login",
        "account_logout",
        "account_inactive",
        "account_signup",
        "account_change_password",
        "account_set_password",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
    }
)

urlpatterns = [
    URLPattern(page.pattern, transaction.atomic(page.callback), page.default_args, page.name) for page in offered if page.name in NAMES
]
