"""Who may share the badge of a target, and which. Pure."""

from apps.catalog.rules import PersonFacts, TargetFacts, ended, why_not_configure
from apps.core.refusals import Refusal, not_now


def why_not_share_badge(person: PersonFacts, target: TargetFacts, *, is_restricted: bool, is_shared: bool) -> Refusal | None:
    """An administrator shares it, once at a time, and never of what most people here may not see."""
    if refusal := why_not_configure(person) or ended(target):
        return refusal
    if is_restricted:
        return not_now("restricted", "The service is restricted, so strangers are shown nothing of it.", "Open the service first.")
    return not_now("already_shared", "The badge is shared already.", "End it first for another address.") if is_shared else None


def why_not_end_badge(person: PersonFacts, *, is_shared: bool) -> Refusal | None:
    """An administrator takes it back."""
    return why_not_configure(person) or (None if is_shared else not_now("not_shared", "The badge is not shared.", "Nothing is left to do."))
