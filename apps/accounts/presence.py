"""The browsers a person is signed in with. Ending one deletes its session row, so every process knows at once."""

from datetime import datetime

from allauth.account.adapter import get_adapter
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from apps.accounts.models import Person, SignIn
from apps.accounts.models.presence import LONGEST_BROWSER
from apps.core.texts import why_not_line

MARK = "sign_in"  # which row is this browser's, whatever key its session gets


def sign_ins_of(person: Person) -> QuerySet[SignIn]:
    """Where the person is signed in now, the latest first."""
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=Now())
    return SignIn.objects.filter(Exists(alive), person=person).order_by("-signed_in_at", "-pk")


def remember_session(request: HttpRequest, person: Person, *, means: str, at: datetime) -> None:
    """Note the browser that has just signed in."""
    if not request.session.session_key:
        request.session.save()
    key = request.session.session_key
    assert key is not None  # noqa: S101 - a saved session has one
    browser = request.META.get("HTTP_USER_AGENT", "")[:LONGEST_BROWSER]
    row, _ = SignIn.objects.update_or_create(  # who signs in again in the same browser keeps the session's key
        session_key=key,
        defaults={
            "person": person,
            "means": means,
            "address": address_of(request),
            "browser": "" if why_not_line(browser, longest=LONGEST_BROWSER) else browser,
            "signed_in_at": at,
        },
    )
    request.session[MARK] = row.pk


def rename_session(request: HttpRequest, person: Person) -> None:
    """Follow a session to its new key: a changed password gives it one."""
    SignIn.objects.filter(pk=request.session.get(MARK) or 0, person=person).update(session_key=request.session.session_key)


def forget_session(request: HttpRequest) -> None:
    """Forget this browser, which is signed out."""
    SignIn.objects.filter(pk=request.session.get(MARK) or 0).delete()


def end_others(person: Person, *, key: str | None) -> int:
    """End every session of a person but the one with this key."""
    others = SignIn.objects.filter(person=person)
    return end_sessions(others.exclude(session_key=key) if key else others)


def end_sessions(rows: QuerySet[SignIn]) -> int:
    """End these sessions: whoever has one is signed out with the next request, in whatever process it is answered."""
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    gone, _ = SignIn.objects.filter(session_key__in=keys).delete()
    return gone


def forget_ended() -> int:
    """Delete what is left of sessions that ended by themselves; the clock does it."""
    Session.objects.filter(expire_date__lte=Now()).delete()
    alive = Session.objects.filter(session_key=OuterRef("session_key"))
    gone, _ = SignIn.objects.filter(~Exists(alive)).delete()
    return gone


def browser_said(text: str) -> str:
    """What a browser calls itself, in two words; the whole text is kept beside."""
    name = next((word for mark, word in BROWSERS if mark in text), "A browser")
    system = next((word for mark, word in SYSTEMS if mark in text), "")
    return f"{name} on {system}" if system else name


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chromium"), ("Safari/", "Safari"), ("curl/", "curl"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def address_of(request: HttpRequest) -> str | None:
    """Where a request comes from, as far as the proxies in front are trusted."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:  # no address is known: a socket of this machine
        return None
