"""Every address, by app. Sign-in is asked for everywhere except where a view says otherwise."""

from importlib.util import find_spec

from django.urls import include, path

PAGES = {
    "people/": "accounts",
    "catalog/": "catalog",
    "calendar/": "schedule",
    "deployments/": "deployments",
    "incidents/": "incidents",
    "notifications/": "notifications",
    "": "home",
}
APIS = ("home", "gate", "deployments")

urlpatterns = [
    path("accounts/", include("apps.accounts.sign_in_urls")),
    path("", include("apps.approvals.urls")),
    path("", include("apps.gate.urls")),
    *(path(prefix, include(f"apps.{app}.urls")) for prefix, app in PAGES.items() if find_spec(f"apps.{app}.urls")),
    *(path("api/v1/", include(f"apps.{app}.api_urls")) for app in APIS if find_spec(f"apps.{app}.api_urls")),
]
handler400 = "apps.core.problems.cannot_be_taken"
handler404 = "apps.core.problems.no_such_address"
handler500 = "apps.core.problems.failed"
