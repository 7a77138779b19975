"""Tokens that were rotated from or into one another: one credential, whatever its secret."""

from django.db.models import Q, QuerySet

from apps.gate.models import GateToken


def of_one_credential(token: int) -> QuerySet[GateToken]:
    """A token, by its row, and every one that it was rotated from or into."""
    first = GateToken.objects.values_list("origin_id", flat=True).get(pk=token) or token
    return GateToken.objects.filter(Q(pk=first) | Q(origin=first))
