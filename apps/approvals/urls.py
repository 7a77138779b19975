"""Addresses of the pages of agreement."""

from django.urls import path

from apps.approvals.views import absence, policies, proposals

app_name = "approvals"
urlpatterns = [
    path("policies/", policies.policies_page, name="policies"),
    path("policies/new/", policies.new_policy, name="new_policy"),
    path("policies/<uuid:public_id>/", policies.policy_page, name="policy"),
    path("policies/<uuid:public_id>/edit/", policies.edit_policy, name="edit_policy"),
    path("policies/<uuid:public_id>/retirement/", policies.policy_retirement, name="policy_retirement"),
    path("absence/", absence.absence_page, name="absence"),
    path("absence/times/", absence.times, name="absence_times"),
    path("absence/times/<uuid:public_id>/end/", absence.time_end, name="absence_end"),
    path("absence/stand-ins/", absence.stand_ins, name="stand_ins"),
    path("absence/stand-ins/<uuid:public_id>/end/", absence.stand_in_end, name="stand_in_end"),
    path("policies/proposals/<uuid:public_id>/", proposals.proposal_page, name="proposal"),
    path("policies/proposals/<uuid:public_id>/confirmation/", proposals.confirmation, name="proposal_confirmation"),
    path("policies/proposals/<uuid:public_id>/end/", proposals.proposal_end, name="proposal_end"),
]
