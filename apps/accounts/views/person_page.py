"""What the page of one person shows, with whichever of its forms was sent and not taken."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils import timezone

from apps.accounts.access import teams_of
from apps.accounts.factors import Means, means_of
from apps.accounts.facts import administrators_but, hours_of, subject_of
from apps.accounts.forms import KINDS, Grant, Merger, NewIdentity, OwnEnd, Reason
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity, Person, RoleGrant
from apps.accounts.owning import ON_A_PAGE, owned_by
from apps.accounts.roles import PURPOSE, Role
from apps.accounts.rules import (
    Asker,
    Subject,
    why_not_administer,
    why_not_deactivate_person,
    why_not_invite_person,
    why_not_remove_identity,
    why_not_reset_factors,
    why_not_revoke_role,
)
from apps.accounts.second_hand import asks_in_words, is_administrator
from apps.accounts.steps import asker
from apps.core.pages import PageRequest, render_page


def person_page(request: PageRequest, person: Person, **sent: forms.Form) -> HttpResponse:
    """The page; `sent` holds the form that was not taken: deactivate, merge, identity, grant or reset."""
    asking, subject, means = asker(request.user.actor), subject_of(person), means_of(person)
    held = means.passkeys + means.stale_passkeys + means.authenticator_app
    context = {
        "person": person,
        "facts": _facts(person, means),
        "roles": [_role(grant, asking, subject) for grant in _grants(person)],
        "teams": teams_of(person),
        "owning": owned_by(person, reader=request.user, most=ON_A_PAGE).get(person.pk),
        "identities": [_identity(row, asking, subject, person) for row in person.identities.order_by("kind", "value")],
        "asks": asks_in_words(person, now=timezone.now()),
        "refusal": why_not_administer(asking),
        "refusals": {
            "deactivate": why_not_deactivate_person(asking, subject),
            "reset": why_not_reset_factors(asking, subject, factors=held),
            "invite": why_not_invite_person(asking, subject, has_signed_in=person.last_login is not None),
        },
        "forms": _forms(person, is_own=person == request.user) | sent,
        "own_end": own_end_words(person) if person == request.user else "",
    }
    return render_page(request, "accounts/person.html", context, status=422 if sent else 200)


def own_end_words(person: Person) -> str:
    """What follows when an administrator deactivates themselves."""
    if not is_administrator(person):
        return ""
    others = [*administrators_but(person)]
    if len(others) == 1:
        return f"Then {others[0].name} alone decides: what takes two administrators takes one."
    return f"{len(others)} other administrators stay; only they bring you back."


def _forms(person: Person, *, is_own: bool) -> dict[str, forms.Form]:
    again = Reason(auto_id="reset_%s")  # two forms of the page have a reason
    return {
        "deactivate": OwnEnd() if is_own else Reason(),
        "reset": again,
        "merge": Merger(keep=person),
        "identity": NewIdentity(),
        "grant": Grant(),
    }


def _facts(person: Person, means: Means) -> list[tuple[str, Any]]:
    return [
        ("Signs in as", person.email),
        ("Proves it with", means_said(means)),
        ("Time zone", person.time_zone),
        ("Works", hours_of(person)),
    ]


def means_said(means: Means) -> str:
    """What somebody can prove themselves with, in words."""
    keys = f"{means.passkeys} passkey{'' if means.passkeys == 1 else 's'}" if means.passkeys else ""
    stale = f"{means.stale_passkeys} of another address" if means.stale_passkeys else ""
    words = [
        word for word in ("password" if means.password else "", keys, stale, "authenticator app" if means.authenticator_app else "") if word
    ]
    return ", ".join(words) or "nothing yet"


def _grants(person: Person) -> list[RoleGrant]:
    return [*person.role_grants.filter(revoked_at__isnull=True).select_related("team").order_by("role", "team__name")]


def _role(grant: RoleGrant, asking: Asker, subject: Subject) -> dict[str, Any]:
    role = Role(grant.role)
    return {
        "grant": grant,
        "label": role.label,
        "purpose": PURPOSE[role],
        "is_own": grant.granted_by == f"PERSON:{subject.id}",
        "refusal": why_not_revoke_role(asking, subject, role, stands=True),
    }


def _identity(row: Identity, asking: Asker, subject: Subject, person: Person) -> dict[str, Any]:
    signs_in = row.kind == IdentityKind.EMAIL and row.value == person.email
    return {
        "row": row,
        "word": KINDS[IdentityKind(row.kind)],
        "signs_in": signs_in,
        "refusal": why_not_remove_identity(asking, subject, signs_in=signs_in),
    }
