"""`check --deploy`: passkeys that stopped working because PUBLIC_URL is another one now."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage
from django.core.checks import Warning as Warned
from django.db import Error as DatabaseError

from apps.accounts.factors import stale_passkeys
from apps.accounts.relying_party import relying_party


def passkeys_fit_public_url(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Warn about each domain that passkeys were enrolled for and that PUBLIC_URL no longer names."""
    del app_configs
    try:
        found = stale_passkeys()
    except DatabaseError as error:
        return [Warned(f"Whether passkeys still work could not be looked up: {error}", hint="Start the database.", id="accounts.W002")]
    here = relying_party().id
    hint = "Set PUBLIC_URL back, or let these people enrol passkeys again: nothing can move one to another domain."
    return [
        Warned(f"Passkeys enrolled for {domain} do not work at {here}, which PUBLIC_URL names: {count}.", hint=hint, id="accounts.W001")
        for domain, count in sorted(found.items())
    ]
