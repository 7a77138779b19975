"""Who may issue tokens and set rule modes, and how. Pure."""

from collections.abc import Collection

from apps.core.refusals import Refusal, not_allowed, not_now
from apps.gate.rules.shapes import Action
from apps.gate.rules.table import RULES, SWITCHABLE

LONGEST_DAYS = 400  # a year, with time to rotate
LONGEST_OVERLAP = 720  # hours: a month


def why_not_administer(*, is_administrator: bool) -> Refusal | None:
    """Tokens and rule modes are configuration."""
    if is_administrator:
        return None
    return not_allowed("not_administrator", "Only an administrator changes this.", "Ask an administrator; the people page names them.")


def why_not_scope(
    *, days: int, actions: Collection[str], services: Collection[object] | None, environments: Collection[object] | None
) -> dict[str, list[str]]:
    """What to show beside each field of a token that cannot be issued so."""
    errors: dict[str, list[str]] = {}
    if not 1 <= days <= LONGEST_DAYS:
        errors["days"] = [f"A token lives 1 to {LONGEST_DAYS} days."]
    if not actions or not set(actions) <= set(Action):
        errors["actions"] = ["Choose at least one of DEPLOY and ROLLBACK."]
    for field, scope in (("services", services), ("environments", environments)):
        if scope is not None and not scope:
            errors[field] = ["Name at least one, or leave it out for all."]
    return errors


def why_not_revoke(name: str, *, is_revoked: bool) -> Refusal | None:
    """A token is revoked once."""
    return not_now("already_revoked", f"The token {name} is revoked already.") if is_revoked else None


def why_not_rotate(name: str, *, is_live: bool) -> Refusal | None:
    """What nobody can use any more is not continued."""
    if is_live:
        return None
    return not_now("token_over", f"The token {name} has expired or was revoked.", "Issue a new one.")


def errors_in_rotation(*, days: int, hours: int) -> dict[str, list[str]]:
    """What to show beside each field of a rotation."""
    errors = {} if 1 <= days <= LONGEST_DAYS else {"days": [f"A token lives 1 to {LONGEST_DAYS} days."]}
    return errors | ({} if 1 <= hours <= LONGEST_OVERLAP else {"hours": [f"Both work for 1 to {LONGEST_OVERLAP} hours."]})


def why_not_mode(rule: str) -> Refusal | None:
    """Some rules are what the gate is; without them a yes would mean nothing."""
    if rule in SWITCHABLE:
        return None
    if rule in {one.name for one in RULES}:
        return not_now("rule_is_kept", f"The rule {rule} cannot be switched off.", "Relax the environment's change requirement instead.")
    return not_now("unknown_rule", f"There is no rule {rule}.", f"Choose one of {', '.join(sorted(SWITCHABLE))}.")
