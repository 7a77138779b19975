"""Whether somebody proved lately who they are, by the strongest means they have: asked before means are added or removed."""

from time import time

from allauth.account.adapter import get_adapter
from allauth.account.app_settings import REAUTHENTICATION_TIMEOUT
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest

from apps.accounts.models import Person
from apps.core.refusals import Refused, not_allowed

SIGN_IN_AGAIN = not_allowed(
    "sign_in_again",
    f"You signed in more than {REAUTHENTICATION_TIMEOUT // 60} minutes ago, and you have no password and no code to prove again who you are.",
    "Sign out, sign in again, and come back at once.",
)


def way_to_prove(request: HttpRequest, person: Person) -> str | None:
    """Where this person proves again who they are; None where they did so, or signed in, within the last minutes.

    Who has a second factor proves by that: a password that was learned by somebody else changes no means. allauth lets
    everybody through who has nothing to prove with, as after single sign-on; here they sign in anew. Raises Refused."""
    needs_factor = is_mfa_enabled(person)
    since = time() - REAUTHENTICATION_TIMEOUT
    lately = {str(one["method"]) for one in get_authentication_records(request, person) if one["at"] > since}
    if "mfa" in lately or (lately and not needs_factor):
        return None
    ways = [one for one in get_adapter().get_reauthentication_methods(person) if not needs_factor or one["id"] != "reauthenticate"]
    if not ways:
        raise Refused(SIGN_IN_AGAIN, about=person.reference)
    return str(ways[0]["url"])
