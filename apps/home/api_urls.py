"""The addresses of the API for changes, below `/api/v1/`."""

from django.urls import path

from apps.home import api, evidence_api

app_name = "api"
urlpatterns = [
    path("changes", api.Changes.as_view(), name="changes"),
    path("changes/<str:ref>", api.OneChange.as_view(), name="change"),
    path("changes/<str:ref>/revisions", api.Revisions.as_view(), name="revisions"),
    path("changes/<str:ref>/comments", api.Comments.as_view(), name="comments"),
    path("changes/<str:ref>/withdrawal", api.Withdrawal.as_view(), name="withdrawal"),
    path("changes/<str:ref>/submission", api.Submission.as_view(), name="submission"),
    path("changes/<str:ref>/evidence", evidence_api.ChangeEvidence.as_view(), name="evidence"),
]
