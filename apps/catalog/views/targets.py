"""One service in one environment: what runs there, how it is deployed, its lock."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.catalog import actions
from apps.catalog.access import arrivals_at, get_target
from apps.catalog.facts import target_facts
from apps.catalog.forms import Adoption, LockReason, SettingsText
from apps.catalog.models import Target
from apps.catalog.rules import why_not_adopt_version, why_not_lock_target, why_not_unlock_target, why_not_write_settings
from apps.catalog.settings_body import settings_from_text, settings_text
from apps.catalog.steps import asker, previous_version, running_version
from apps.catalog.versions import Version, read_identity_lines
from apps.core.acting import carried_out
from apps.core.actors import Actor
from apps.core.pages import PageRequest, render_page

LOCK_IDS = "lock_%s"  # two forms of the page have a reason
BEGINNING = """{
  "driver": "release_dir",
  "options": {},
  "start": "BUTTON",
  "checks": []
}"""


@require_GET
def target(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """One target."""
    return target_page(request, get_target(request.user, slug, environment))


@require_POST
def settings(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """Write the next version of the settings."""
    about, form = get_target(request.user, slug, environment), SettingsText(request.POST)
    if carried_out(form, _write, target=about, by=request.user.actor):
        return redirect("catalog:target", about.service.slug, about.environment.slug)
    return target_page(request, about, settings=form)


@require_POST
def lock(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """Stop everything new."""
    about, form = get_target(request.user, slug, environment), LockReason(request.POST, auto_id=LOCK_IDS)
    if carried_out(form, actions.lock_target, target_id=about.pk, by=request.user.actor):
        return redirect("catalog:target", about.service.slug, about.environment.slug)
    return target_page(request, about, lock=form)


@require_POST
def unlocking(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """Let deployments begin again."""
    about = actions.unlock_target(get_target(request.user, slug, environment).pk, by=request.user.actor)
    return redirect("catalog:target", about.service.slug, about.environment.slug)


@require_POST
def adoption(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """Write down what runs already."""
    about, form = get_target(request.user, slug, environment), Adoption(request.POST)
    if carried_out(form, _adopt, target=about, by=request.user.actor):
        return redirect("catalog:target", about.service.slug, about.environment.slug)
    return target_page(request, about, adopt=form)


def target_page(request: PageRequest, about: Target, **sent: forms.Form) -> HttpResponse:
    """The page; `sent` holds the form that was not taken: settings, lock or adopt."""
    asking, facts = asker(request.user.actor, about.service), target_facts(about)
    text = settings_text(about.settings.body) if about.settings else BEGINNING
    context: dict[str, Any] = {
        "target": about,
        "running": running_version(about),
        "previous": previous_version(about),
        "arrivals": arrivals_at(about),
        "versions": about.settings_versions.order_by("-number")[:20],
        "text": text,
        "refusals": {
            "settings": why_not_write_settings(asking, facts),
            "lock": why_not_lock_target(asking, facts),
            "unlock": why_not_unlock_target(asking, facts),
            "adopt": why_not_adopt_version(asking, facts),
        },
        "forms": {"settings": SettingsText(initial={"settings": text}), "lock": LockReason(auto_id=LOCK_IDS), "adopt": Adoption()} | sent,
    }
    return render_page(request, "catalog/target.html", context, status=422 if sent else 200)


def _write(*, target: Target, settings: str, by: Actor) -> None:
    actions.write_target_settings(target.pk, settings=settings_from_text(settings), by=by)


def _adopt(*, target: Target, label: str, identities: str, reason: str, by: Actor) -> None:
    version = Version(label, read_identity_lines(identities))
    actions.adopt_version(target.pk, version=version, reason=reason, by=by)
