"""The gate's addresses, below `/api/v1/`."""

from django.urls import path

from apps.gate import api

app_name = "gate"
urlpatterns = [
    path("gate/evaluations", api.evaluations, name="evaluations"),
    path("gate/evaluations/<uuid:evaluation_id>", api.evaluation, name="evaluation"),
]
