"""Addresses of pages about people."""

from django.urls import path

from apps.accounts.views import factors, people, profile, single_sign_on, teams

app_name = "accounts"
urlpatterns = [
    path("", people.everybody, name="people"),
    path("new/", people.join, name="join"),
    path("me/", profile.profile, name="profile"),
    path("me/again/", factors.again, name="again"),
    path("me/tokens/", profile.tokens, name="tokens"),
    path("me/tokens/<uuid:public_id>/revocation/", profile.token_revocation, name="token_revocation"),
    path("me/hours/", profile.hours, name="hours"),
    path("me/factors/", factors.factors, name="factors"),
    path("me/passkeys/new/", factors.new_passkey, name="new_passkey"),
    path("me/passkeys/<uuid:public_id>/name/", factors.passkey_name, name="passkey_name"),
    path("me/passkeys/<uuid:public_id>/removal/", factors.passkey_removal, name="passkey_removal"),
    path("me/app/", factors.app, name="app"),
    path("me/app/removal/", factors.app_removal, name="app_removal"),
    path("me/single-sign-on/", single_sign_on.link, name="single_sign_on_link"),
    path("me/recovery-codes/", factors.recovery_codes, name="recovery_codes"),
    path("me/sessions/<uuid:public_id>/end/", factors.session_end, name="session_end"),
    path("me/sessions/others/end/", factors.other_sessions_end, name="other_sessions_end"),
    path("teams/", teams.every_team, name="teams"),
    path("teams/<slug:slug>/", teams.team, name="team"),
    path("teams/<slug:slug>/name/", teams.name, name="team_name"),
    path("teams/<slug:slug>/retirement/", teams.retirement, name="team_retirement"),
    path("teams/<slug:slug>/members/", teams.members, name="members"),
    path("teams/<slug:slug>/members/<uuid:public_id>/end/", teams.member_end, name="member_end"),
    path("<uuid:public_id>/", people.person, name="person"),
    path("<uuid:public_id>/deactivation/", people.deactivation, name="deactivation"),
    path("<uuid:public_id>/reactivation/", people.reactivation, name="reactivation"),
    path("<uuid:public_id>/invitation/", people.invitation, name="invitation"),
    path("<uuid:public_id>/factors/removal/", factors.reset, name="factors_removal"),
    path("<uuid:public_id>/merger/", people.merger, name="merger"),
    path("<uuid:public_id>/identities/", people.identities, name="identities"),
    path("<uuid:public_id>/identities/<int:identity_id>/removal/", people.identity_removal, name="identity_removal"),
    path("<uuid:public_id>/roles/", people.roles, name="roles"),
    path("<uuid:public_id>/roles/<int:grant_id>/revocation/", people.role_revocation, name="role_revocation"),
]
