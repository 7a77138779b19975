"""Whether somebody proved lately who they are, by the strongest means they have.

Asked before means are added or removed, before tokens are issued, and of the second person who puts a proposal in force."""

from collections.abc import Callable
from functools import wraps
from time import time
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.app_settings import REAUTHENTICATION_TIMEOUT
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.accounts.models import Person
from apps.core.pages import PageRequest
from apps.core.refusals import Refused, not_allowed

V = TypeVar("V", bound=Callable[..., HttpResponse])
KEPT = "accounts.kept"
LARGEST = 20_000  # characters of what was sent; the forms that ask for a proof are small
NOT_KEPT = frozenset({"csrfmiddlewaretoken"})

SIGN_IN_AGAIN = not_allowed(
    "sign_in_again",
    f"You signed in more than {REAUTHENTICATION_TIMEOUT // 60} minutes ago, and you have no password and no code to prove again who you are.",
    "Sign out, sign in again, and come back at once.",
)


def way_to_prove(request: HttpRequest, person: Person) -> str | None:
    """Where this person proves again who they are; None where they did so, or signed in, within the last minutes.

    Who has a second factor proves by that: a password that was learned by somebody else changes no means. allauth lets
    everybody through who has nothing to prove with, as after single sign-on; here they sign in anew. Raises Refused."""
    needs_factor = is_mfa_enabled(person)
    since = time() - REAUTHENTICATION_TIMEOUT
    lately = {str(one["method"]) for one in get_authentication_records(request, person) if one["at"] > since}
    if "mfa" in lately or (lately and not needs_factor):
        return None
    ways = [one for one in get_adapter().get_reauthentication_methods(person) if not needs_factor or one["id"] != "reauthenticate"]
    if not ways:
        raise Refused(SIGN_IN_AGAIN, about=person.reference)
    return str(ways[0]["url"])


def prove_first(request: PageRequest) -> HttpResponse | None:
    """Where to prove again who one is before this goes on; None where that was done. A session that was left open does nothing here.

    What was sent is kept meanwhile, and stands on the page that one comes back to: one more press sends it."""
    way = way_to_prove(request, request.user)
    if way is None:
        if request.session.get(KEPT, {}).get("path") == request.get_full_path():
            del request.session[KEPT]
        return None
    back = request.get_full_path() if request.method == "GET" else keep(request)
    return redirect(f"{way}?{urlencode({'next': back})}")


def anew(view: V) -> V:
    """Let a view go on only for somebody who proved lately who they are."""

    @wraps(view)
    def ask_first(request: PageRequest, **given: Any) -> HttpResponse:  # noqa: ANN401 - what the address names
        return prove_first(request) or view(request, **given)

    return cast("V", ask_first)


def keep(request: PageRequest) -> str:
    """Keep what was sent; returns the page that shows it again."""
    fields = [[name, value] for name, values in request.POST.lists() if name not in NOT_KEPT for value in values]
    if sum(len(name) + len(value) for name, value in fields) > LARGEST:
        return came_from(request)
    request.session[KEPT] = {"path": request.get_full_path(), "fields": fields, "back": came_from(request)}
    return reverse("accounts:again")


def kept(request: PageRequest) -> dict[str, Any] | None:
    """What was kept, with the address it goes to and the page it came from."""
    found: dict[str, Any] | None = request.session.get(KEPT)
    return found


def came_from(request: PageRequest) -> str:
    """The page of ours that a form was sent from."""
    return onward(request, request.headers.get("Referer", ""), otherwise=reverse("accounts:profile"))


def onward(request: PageRequest, address: str, *, otherwise: str) -> str:
    """An address of this very place, or another page of it: nobody is led away by a link."""
    hosts = {request.get_host()}
    return address if address and url_has_allowed_host_and_scheme(address, hosts, require_https=request.is_secure()) else otherwise
