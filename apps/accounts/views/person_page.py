"""What the page of one person shows, with whichever of its forms was sent and not taken."""

from typing import Any

from django import forms
from django.http import HttpResponse

from apps.accounts.access import teams_of
from apps.accounts.facts import subject_of
from apps.accounts.forms import KINDS, Grant, Merger, NewIdentity, Reason
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity, Person, RoleGrant
from apps.accounts.roles import PURPOSE, Role
from apps.accounts.rules import (
    Asker,
    Subject,
    why_not_administer,
    why_not_deactivate_person,
    why_not_invite_person,
    why_not_remove_identity,
    why_not_revoke_role,
)
from apps.accounts.steps import asker
from apps.core.pages import PageRequest, render_page


def person_page(request: PageRequest, person: Person, **sent: forms.Form) -> HttpResponse:
    """The page; `sent` holds the form that was not taken: deactivate, merge, identity or grant."""
    asking, subject = asker(request.user.actor), subject_of(person)
    context = {
        "person": person,
        "facts": _facts(person),
        "roles": [_role(grant, asking, subject) for grant in _grants(person)],
        "teams": teams_of(person),
        "identities": [_identity(row, asking, subject, person) for row in person.identities.order_by("kind", "value")],
        "refusal": why_not_administer(asking),
        "refusals": {
            "deactivate": why_not_deactivate_person(asking, subject),
            "invite": why_not_invite_person(asking, subject, has_signed_in=person.last_login is not None),
        },
        "forms": {"deactivate": Reason(), "merge": Merger(keep=person), "identity": NewIdentity(), "grant": Grant()} | sent,
    }
    return render_page(request, "accounts/person.html", context, status=422 if sent else 200)


def _facts(person: Person) -> list[tuple[str, Any]]:
    return [("Signs in as", person.email), ("Time zone", person.time_zone)]


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
