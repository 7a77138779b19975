"""The pages of allauth that we offer, each in one transaction with what it records. E-mail addresses are changed elsewhere."""

from allauth.account.urls import urlpatterns as account_pages
from allauth.mfa.base.urls import urlpatterns as factor_pages
from allauth.mfa.webauthn.urls import urlpatterns as passkey_pages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.urls import path
from django.urls.resolvers import RoutePattern, URLPattern

from apps.accounts.views import single_sign_on

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
        "account_reauthenticate",
        "mfa_authenticate",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
        "mfa_login_webauthn",
    }
)

OPEN = frozenset({"mfa_authenticate", "mfa_login_webauthn"})  # whoever is not signed in yet


def offered(page: URLPattern, *, below: str = "") -> URLPattern:
    """The page as we offer it."""
    view = transaction.atomic(page.callback)
    view = login_not_required(view) if page.name in OPEN else view
    return URLPattern(
        RoutePattern(below + str(page.pattern), name=page.name, is_endpoint=True) if below else page.pattern,
        view,
        page.default_args,
        page.name,
    )


urlpatterns = [
    path("single-sign-on/", single_sign_on.depart, name="single_sign_on"),
    path("single-sign-on/arrival/", single_sign_on.arrive, name="single_sign_on_callback"),
    *(offered(page) for page in account_pages if page.name in NAMES),
    *(offered(page, below="factors/") for page in factor_pages if page.name in NAMES),
    *(offered(page, below="passkeys/") for page in passkey_pages if isinstance(page, URLPattern) and page.name in NAMES),
]
