"""The badge of a target for whoever is signed in, and whether others are shown it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from apps.catalog.access import get_target
from apps.core.pages import PageRequest
from apps.gate.badge import badge_answer, picture, place_words, standing_of
from apps.gate.badge_actions import end_badge, share_badge


@require_safe
def badge(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """The picture, of what one may see."""
    target = get_target(request.user, slug, environment)
    return badge_answer(request, picture(place_words(target), standing_of(target)))


@require_POST
def badge_sharing(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """Give it an address for others."""
    target = get_target(request.user, slug, environment)
    share_badge(target.pk, by=request.user.actor)
    messages.success(request, "Whoever has the badge's address sees it from now on.")
    return redirect("home:gate_pipeline", target.service.slug, target.environment.slug)


@require_POST
def badge_end(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """Take the address back."""
    target = get_target(request.user, slug, environment)
    end_badge(target.pk, by=request.user.actor)
    messages.success(request, "The badge's address shows nothing any more.")
    return redirect("home:gate_pipeline", target.service.slug, target.environment.slug)
