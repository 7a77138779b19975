"""Going to the provider and coming back: to sign in, or to link what it says to whoever is signed in."""

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.accounts import single_sign_on
from apps.accounts.actions import link_single_sign_on, sign_on_person
from apps.accounts.counting import count_attempt
from apps.accounts.freshness import anew, way_to_prove
from apps.accounts.identities import UNKNOWN
from apps.accounts.models import Person
from apps.accounts.presence import address_of
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.pages import PageRequest
from apps.core.refusals import Refusal, Refused, not_allowed

MEMORY = "accounts.single_sign_on"  # in the session, until the browser comes back
MOST_A_MINUTE = 30
LINK_AGAIN = "Open Passkeys and codes and begin again."
NOT_YOURS = not_allowed("another_link", "Somebody else is signed in here now than whoever began to link single sign-on.", LINK_AGAIN)
TOO_LONG = not_allowed("too_long_ago", "You proved who you are too long ago to link single sign-on now.", LINK_AGAIN)
AGAIN = "Go back to the sign-in page and try again; if it goes on, tell whoever runs this installation."


@never_cache
@require_GET
@login_not_required
def depart(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider."""
    if not settings.OIDC_ISSUER:
        raise Http404
    if _too_many(request):
        return render(request, "429.html", status=429)
    wanted = request.GET.get("next", "")
    memory = {"next": wanted if get_adapter().is_safe_url(wanted) else ""}
    try:
        address = single_sign_on.begin(memory)
    except single_sign_on.NotSignedOn as error:
        return _refused(request, not_allowed(error.code, str(error), AGAIN))
    request.session[MEMORY] = memory
    return redirect(address)


@never_cache
@require_POST
@anew
def link(request: PageRequest) -> HttpResponse:
    """Send whoever is signed in to the provider; what it says on the way back becomes a way in of theirs."""
    if not settings.OIDC_ISSUER:
        raise Http404
    if _too_many(request):
        return render(request, "429.html", status=429)
    memory = {"links": str(request.user.public_id)}
    try:
        address = single_sign_on.begin(memory)
    except single_sign_on.NotSignedOn as error:
        raise Refused(not_allowed(error.code, str(error), LINK_AGAIN), about=request.user.reference) from error
    request.session[MEMORY] = memory
    return redirect(address)


@never_cache
@require_GET
@login_not_required
def arrive(request: HttpRequest) -> HttpResponse:
    """Take the browser back, and sign in whom the provider vouches for."""
    if not settings.OIDC_ISSUER:
        raise Http404
    if _too_many(request):
        return render(request, "429.html", status=429)
    memory = request.session.pop(MEMORY, {})
    if request.GET.get("error"):
        return _refused(request, not_allowed("provider_refused", "The provider did not sign you on.", AGAIN))
    try:
        subject = single_sign_on.finish(memory, state=request.GET.get("state", ""), code=request.GET.get("code", ""))
    except single_sign_on.NotSignedOn as error:
        return _refused(request, not_allowed(error.code, str(error), AGAIN))
    if "links" in memory:
        return _linked(request, subject, memory["links"])
    try:
        person = sign_on_person(issuer=subject.issuer, subject=subject.id, email=subject.email)
    except Refused as error:
        return _refused(request, error.refusal)
    return _enter(request, person, memory)


def _linked(request: HttpRequest, subject: single_sign_on.Subject, whose: str) -> HttpResponse:
    """Only for whoever began it, still signed in, and while the proof they began with is good."""
    me = request.user
    if not isinstance(me, Person) or str(me.public_id) != whose:
        raise Refused(NOT_YOURS)
    if way_to_prove(request, me) is not None:
        raise Refused(TOO_LONG, about=me.reference)
    link_single_sign_on(issuer=subject.issuer, subject=subject.id, by=me.actor)
    messages.success(request, f"{settings.OIDC_NAME} signs you in from now on.")
    return redirect("accounts:factors")


@transaction.atomic
def _enter(request: HttpRequest, person: Person, memory: dict[str, str]) -> HttpResponse:
    """From here on it is a sign-in like any other: whoever left stays out, a second factor is asked for where there is one."""
    record_authentication(request, person, "socialaccount", provider="oidc")
    response: HttpResponse = perform_login(request, Login(user=person, redirect_url=memory.get("next") or None))
    return response


def _too_many(request: HttpRequest) -> bool:
    """Each try may wait for the provider and leaves an entry, so one address gets so many a minute."""
    return count_attempt(f"single-sign-on:{address_of(request)}", seconds=60).number > MOST_A_MINUTE


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    with transaction.atomic():
        data = {"means": "single sign-on", "code": refusal.code}
        record(Event.PERSON_SIGN_IN_FAILED, subject=UNKNOWN, by=system("sign_in"), at=database_now(), data=data)
    return render(request, "account/single_sign_on_refused.html", {"refusal": refusal}, status=403)
