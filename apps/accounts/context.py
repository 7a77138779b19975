"""What the door shows beside address and password: passkeys where they can work, single sign-on where it is set up."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.accounts.relying_party import relying_party


def ways_in(request: HttpRequest) -> dict[str, Any]:
    """Nothing for somebody who is in already."""
    person = getattr(request, "user", None)
    if person is None or person.is_authenticated:
        return {}
    return {"ways_in": {"passkeys": relying_party().refusal is None, "single_sign_on": settings.OIDC_NAME if settings.OIDC_ISSUER else ""}}
