"""The addresses of pages that show facts of many apps."""

from django.urls import path

from apps.home.views import deciding, editing, governing, health, overview, reading

app_name = "home"
urlpatterns = [
    path("", overview.home, name="home"),
    path("first-run/", overview.first_run, name="first_run"),
    path("changes/", reading.changes, name="changes"),
    path("changes/new/", editing.new_change, name="new_change"),
    path("changes/<ref>/", reading.change, name="change"),
    path("changes/<ref>/edit/", editing.edit_change, name="edit_change"),
    path("changes/<ref>/submission/", editing.create_submission, name="submission"),
    path("changes/<ref>/sign-off/", deciding.sign_off, name="sign_off"),
    path("changes/<ref>/sign-off/withdrawal/", deciding.sign_off_withdrawal, name="sign_off_withdrawal"),
    path("changes/<ref>/return/", deciding.change_return, name="return"),
    path("changes/<ref>/withdrawal/", deciding.change_withdrawal, name="withdrawal"),
    path("changes/<ref>/completion/", deciding.change_completion, name="completion"),
    path("changes/<ref>/closure/", deciding.change_closure, name="closure"),
    path("changes/<ref>/comments/", deciding.change_comment, name="comments"),
    path("changes/<ref>/legs/<uuid:leg>/slot/", deciding.leg_slot, name="slot"),
    path("where/", overview.matrix, name="matrix"),
    path("audit/", governing.audit, name="audit"),
    path("audit/export/", governing.audit_export, name="audit_export"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]
