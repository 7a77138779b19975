"""The addresses of notifications: one's own, what one wants to be told, and what could not be sent."""

from django.urls import path

from apps.notifications import views

app_name = "notifications"

urlpatterns = [
    path("", views.notifications, name="notifications"),
    path("settings/", views.choices, name="settings"),
    path("failures/", views.failures, name="failures"),
    path("failures/<uuid:public_id>/another-try/", views.another_try, name="another_try"),
]
