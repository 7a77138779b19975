"""Where a person acts on a finding: one address per code. By words, since the pages lie in apps above this one."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

from django.conf import settings

CHANGE, SIGN_OFF, EVERY_WALL, TARGET = (
    "/changes/{change}/",
    "/changes/{change}/sign-off/",
    "/calendar/",
    "/catalog/services/{service}/in/{environment}/",
)
PAGES = {
    **dict.fromkeys(("unknown_token", "token_over", "action_out_of_scope", "out_of_scope"), "/gate/identity/"),
    **dict.fromkeys(("merge_request", "ref_not_protected", "other_commit"), "/gate/identity/trusts/"),
    **dict.fromkeys(("unknown_service", "unknown_environment", "unknown_target"), "/where/"),
    "no_change": "/changes/new/",
    "too_many_changes": "/changes/",
    "no_policy": "/policies/",
    **dict.fromkeys(("sign_off_missing", "sign_off_lapsed", "settings_changed"), SIGN_OFF),
    **dict.fromkeys(("frozen", "outside_window", "calendar_behind", "held", "no_room_in_window"), EVERY_WALL),
    **dict.fromkeys(("locked", "occupied", "reserved", "retired", "nothing_to_go_back_to"), TARGET),
    **dict.fromkeys(("no_previous_release", "not_previous_release"), TARGET),
    "not_promoted": "/where/",
    "review_overdue": "/exceptions/",
}
NAMED_IN = {page: [name for _, name, _, _ in Formatter().parse(page) if name] for page in {CHANGE, *PAGES.values()}}


def link_of(code: str, bound: Mapping[str, Any], *, answer: str) -> str:
    """Where to act on what was found; the page of the ANSWER where there is no better one, at the finding."""
    page = PAGES.get(code, CHANGE)
    if any(bound.get(name) is None for name in NAMED_IN[page]):
        return f"{answer}#code-{code}"
    return settings.PUBLIC_URL + page.format_map(bound)
