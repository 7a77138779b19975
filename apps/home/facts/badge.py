"""What the page of a pipeline says of a target's badge: whether others are shown it, where, and why one cannot change that."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from apps.accounts.models import Person
from apps.catalog.facts import person_facts, target_facts
from apps.catalog.models import Target
from apps.core.refusals import Refusal
from apps.gate.badge import key_of
from apps.gate.models import BadgeLink
from apps.gate.rules.badges import why_not_end_badge, why_not_share_badge


@dataclass(frozen=True, slots=True)
class BadgeShown:
    """The shared address, if there is one, and the refusals of both verbs."""

    url: str
    share_refusal: Refusal | None
    end_refusal: Refusal | None

    @property
    def text(self) -> str:
        """The address as Markdown takes it."""
        return f"![Change Control]({self.url})"


def badge_shown(person: Person, target: Target) -> BadgeShown:
    """The badge of a target."""
    link = BadgeLink.objects.filter(target=target, ended_at__isnull=True).first()
    asking = person_facts(person, target.service)
    url = f"{settings.PUBLIC_URL}{reverse('gate_pages:badge', args=[key_of(link)])}" if link else ""
    share = why_not_share_badge(asking, target_facts(target), is_restricted=target.service.is_restricted, is_shared=link is not None)
    return BadgeShown(url, share, why_not_end_badge(asking, is_shared=link is not None))
