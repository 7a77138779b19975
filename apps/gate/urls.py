"""Addresses of the gate that people and pipelines open without a question."""

from django.urls import path

from apps.gate import views

app_name = "gate_pages"
urlpatterns = [
    path(".well-known/change-control/jwks.json", views.keys, name="keys"),
    path("client/ccgate", views.client, name="client"),
    path("badges/<str:key>.svg", views.badge, name="badge"),
]
