"""Addresses of deployments for CI, below `/api/v1/`."""

from django.urls import path

from apps.deployments import api

app_name = "deployments_api"
urlpatterns = [
    path("deployments", api.deployments, name="deployments"),
    path("deployments/observations", api.observations, name="observations"),
    path("deployments/reports", api.unbegun, name="unbegun"),
    path("deployments/<uuid:deployment_id>", api.deployment, name="deployment"),
    path("deployments/<uuid:deployment_id>/reports", api.reports, name="reports"),
]
