"""Addresses of the calendar's pages."""

from django.urls import path

from apps.schedule import views

app_name = "schedule"
urlpatterns = [
    path("", views.walls, name="walls"),
    path("freezes/new/", views.new_freeze, name="new_freeze"),
    path("freezes/<uuid:public_id>/lifting/", views.freeze_lifting, name="freeze_lifting"),
    path("windows/new/", views.new_window, name="new_window"),
    path("windows/<uuid:public_id>/lifting/", views.window_lifting, name="window_lifting"),
    path("holds/new/", views.new_hold, name="new_hold"),
    path("holds/<uuid:public_id>/lifting/", views.hold_lifting, name="hold_lifting"),
]
