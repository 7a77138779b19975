"""Lists the gate tokens on the host: what they may ask, until when, and when they were last used."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.gate.models import GateToken


class Command(BaseCommand):
    """One line per token, those that still hold first."""

    help = __doc__

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Print them; the secrets themselves are kept nowhere."""
        del options
        now = timezone.now()
        for token in sorted(GateToken.objects.filter(trust__isnull=True), key=lambda one: (not _holds(one, now), one.name, one.prefix)):
            used = f"last used {_day(token.used_at)}" if token.used_at else "never used"
            self.stdout.write(f"{token.prefix}  {_standing(token, now):<22}  {used:<22}  {token.name}")


def _holds(token: GateToken, now: datetime) -> bool:
    return token.revoked_at is None and token.expires_at > now


def _standing(token: GateToken, now: datetime) -> str:
    if token.revoked_at:
        return f"revoked {_day(token.revoked_at)}"
    return f"{'until' if _holds(token, now) else 'expired'} {_day(token.expires_at)}"


def _day(at: datetime) -> str:
    return f"{at:%d %b %Y}"
