"""What one signs in with: passkeys, authenticator app, recovery codes, and the browsers one is signed in with."""

from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

import qrcode
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from qrcode.image.svg import SvgPathImage

from apps.accounts import actions
from apps.accounts.access import get_person
from apps.accounts.codes import app_address, new_secret
from apps.accounts.enrolment import ask_for_passkey
from apps.accounts.factors import has_authenticator_app
from apps.accounts.forms import AppCode, NewPasskey, PasskeyName, Reason
from apps.accounts.freshness import anew, kept, onward, prove_first
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Passkey, Person
from apps.accounts.presence import browser_said, sign_ins_of
from apps.accounts.recovery import recovery_codes_left
from apps.accounts.relying_party import relying_party
from apps.accounts.views.person_page import person_page
from apps.core.acting import carried_out
from apps.core.pages import PageRequest, render_page

PASSKEY_STATE, APP_SECRET = "accounts.passkey", "accounts.app_secret"


@require_GET
def factors(request: PageRequest) -> HttpResponse:
    """All of it on one page."""
    return factors_page(request, named={})


def factors_page(request: PageRequest, *, named: Mapping[int, PasskeyName]) -> HttpResponse:
    """The page; NAMED holds the name of a passkey that was not taken."""
    me, here = request.user, relying_party()
    keys = me.passkeys.filter(removed_at__isnull=True).order_by("enrolled_at")
    context = {
        "person": me,
        "passkeys": [{"row": key, "id": f"key-{key.pk}", "is_stale": key.rp_id != here.id, "form": name_of(key, named)} for key in keys],
        "here": here,
        "has_app": has_authenticator_app(me),
        "codes_left": recovery_codes_left(me),
        "sign_ins": sign_ins(request),
        "next": onward(request, request.GET.get("next", ""), otherwise=""),
        "sign_on_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "is_linked": me.identities.filter(kind=IdentityKind.OIDC, issuer__in=[settings.OIDC_ISSUER, f"{settings.OIDC_ISSUER}/"]).exists(),
    }
    return render_page(request, "accounts/factors.html", context, status=422 if named else 200)


def name_of(key: Passkey, named: Mapping[int, PasskeyName]) -> PasskeyName:
    """The form of its name, as it was sent or as it is."""
    return named.get(key.pk) or PasskeyName(initial={"name": key.name}, auto_id=f"{key.public_id}_%s")


def sign_ins(request: PageRequest) -> list[dict[str, Any]]:
    """The browsers, this one marked."""
    mine = request.session.session_key
    return [
        {"row": row, "id": f"browser-{row.pk}", "said": browser_said(row.browser), "is_this": row.session_key == mine}
        for row in sign_ins_of(request.user)
    ]


@never_cache
@require_http_methods(["GET", "POST"])
@anew
def new_passkey(request: PageRequest) -> HttpResponse:
    """Enrol a passkey."""
    form = NewPasskey(request.POST or None)
    state = request.session.get(PASSKEY_STATE)
    if request.method == "POST" and carried_out(form, actions.enrol_passkey, state=state, by=request.user.actor):
        del request.session[PASSKEY_STATE]
        messages.success(request, f"The passkey {form.cleaned_data['name']} is enrolled.")
        return redirect(back_from(request))
    here = relying_party()
    asked: dict[str, Any] = {}
    if here.refusal is None:
        asked, request.session[PASSKEY_STATE] = ask_for_passkey(request.user)
    context = {"form": form, "options": asked, "refusal": here.refusal}
    return render_page(request, "accounts/passkey_new.html", context, status=422 if request.method == "POST" else 200)


@require_POST
def passkey_name(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Call a passkey of one's own by another name. That proves nothing, so nobody is asked again who they are."""
    about = get_object_or_404(request.user.passkeys, public_id=public_id, removed_at__isnull=True)
    form = PasskeyName(request.POST, auto_id=f"{about.public_id}_%s")
    if carried_out(form, actions.rename_passkey, passkey_id=about.pk, by=request.user.actor):
        messages.success(request, f"The passkey is called {form.cleaned_data['name']} now.")
        return redirect("accounts:factors")
    return factors_page(request, named={about.pk: form})


@require_POST
@anew
def passkey_removal(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Remove a passkey of one's own."""
    row = actions.remove_passkey(get_object_or_404(request.user.passkeys, public_id=public_id).pk, by=request.user.actor)
    messages.success(request, f"The passkey {row.name} is removed. What it signed stays signed.")
    return redirect("accounts:factors")


@never_cache
@require_http_methods(["GET", "POST"])
@anew
def app(request: PageRequest) -> HttpResponse:
    """Enrol an authenticator app."""
    if has_authenticator_app(request.user):
        return redirect("accounts:factors")
    form = AppCode(request.POST or None)
    secret = request.session.setdefault(APP_SECRET, new_secret())
    if request.method == "POST" and carried_out(form, actions.enrol_authenticator_app, secret=secret, by=request.user.actor):
        del request.session[APP_SECRET]
        messages.success(request, "The authenticator app is enrolled.")
        return redirect(back_from(request))
    address = app_address(secret, account=request.user.email, issuer=f"Change Control ({settings.ORGANISATION})")
    context = {"form": form, "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)), "square": _square(address)}
    return render_page(request, "accounts/app_new.html", context, status=422 if request.method == "POST" else 200)


@require_POST
@anew
def app_removal(request: PageRequest) -> HttpResponse:
    """Remove the authenticator app."""
    actions.remove_authenticator_app(by=request.user.actor)
    messages.success(request, "The authenticator app is removed.")
    return redirect("accounts:factors")


@never_cache
@require_POST
@anew
def recovery_codes(request: PageRequest) -> HttpResponse:
    """Make recovery codes and show them, once."""
    codes = actions.make_recovery_codes(by=request.user.actor)
    return render_page(request, "accounts/recovery_codes.html", {"codes": "\n".join(codes), "count": len(codes)})


@require_POST
def session_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Sign out one browser; another than this one only after proving who one is: a stolen session does not lock its owner out."""
    row = get_object_or_404(sign_ins_of(request.user), public_id=public_id)
    if row.session_key != request.session.session_key and (asked := prove_first(request)):
        return asked
    actions.end_sign_ins([row.pk], by=request.user.actor)
    messages.success(request, f"{browser_said(row.browser)} is signed out.")
    return redirect("accounts:factors")


@require_POST
@anew
def other_sessions_end(request: PageRequest) -> HttpResponse:
    """Sign out every browser but this one."""
    others = sign_ins_of(request.user).exclude(session_key=request.session.session_key)
    count = actions.end_sign_ins([row.pk for row in others], by=request.user.actor)
    messages.success(request, f"Signed out elsewhere: {count}.")
    return redirect("accounts:factors")


@require_POST
def reset(request: PageRequest, public_id: UUID) -> HttpResponse:
    """End every factor of somebody who lost them."""
    about: Person = get_person(public_id)
    form = Reason(request.POST, auto_id="reset_%s")
    if carried_out(form, actions.reset_factors, person_id=about.pk, by=request.user.actor):
        messages.success(request, f"{about.name} has no passkey and no app any more. They sign in with the password and enrol anew.")
        return redirect("accounts:person", public_id)
    return person_page(request, about, reset=form)


@never_cache
@require_GET
def again(request: PageRequest) -> HttpResponse:
    """What was sent before one proved who one is: one press sends it."""
    found = kept(request)
    return render_page(request, "accounts/again.html", {"kept": found}) if found else redirect("accounts:profile")


def back_from(request: PageRequest) -> str:
    """Where somebody goes on who came here to add what was missing."""
    return onward(request, request.GET.get("next", ""), otherwise=reverse("accounts:factors"))


def _square(address: str) -> str:
    """The address as a picture that a phone reads."""
    drawn = BytesIO()
    qrcode.make(address, image_factory=SvgPathImage).save(drawn)
    return "data:image/svg+xml;base64," + b64encode(drawn.getvalue()).decode()
