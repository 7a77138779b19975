"""Who may change people, and when: pure answers over frozen facts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from apps.accounts.roles import WIDE_ONLY, Role
from apps.core.refusals import Refusal, not_allowed, not_now

LONGEST_TOKEN_DAYS = 365
ASK_ADMINISTRATOR = "Ask an administrator; the people page names them."


class Act(StrEnum):
    """What is done about administrators, by two as soon as there are two."""

    GRANT = "GRANT"
    REVOKE = "REVOKE"
    DEACTIVATE = "DEACTIVATE"
    REACTIVATE = "REACTIVATE"


@dataclass(frozen=True, slots=True)
class Asker:
    """The present person who asks, with the roles they have for everything."""

    id: UUID
    roles: frozenset[str]
    credential: str = "session"

    @property
    def is_administrator(self) -> bool:
        """Whether this person configures the installation."""
        return Role.ADMINISTRATOR in self.roles

    @property
    def uses_token(self) -> bool:
        """Whether a script asks in this person's name."""
        return self.credential.startswith("personal_token:")


@dataclass(frozen=True, slots=True)
class Subject:
    """The person something is done to."""

    id: UUID
    name: str
    is_active: bool = True
    merged_into: str = ""  # the name of the person they were merged into
    is_last_administrator: bool = False

    @property
    def is_merged(self) -> bool:
        """Whether this row only points at another person."""
        return bool(self.merged_into)


@dataclass(frozen=True, slots=True)
class TeamFacts:
    """A team something is done to."""

    name: str
    is_retired: bool = False
    members: tuple[str, ...] = ()  # those who stand, by name


def takes_two(act: Act, *, are_two: bool, is_administrator: bool, is_oneself: bool) -> bool:
    """Whether one administrator alone is not enough: to make another one, or to end one who does not go by themselves."""
    if not are_two or (is_oneself and act in {Act.REVOKE, Act.DEACTIVATE}):
        return False
    return act is Act.GRANT or is_administrator


def why_not_merge_administrator(gone_one: Subject, *, are_two: bool, is_administrator: bool) -> Refusal | None:
    """An administrator does not vanish into another account while there are two."""
    if not are_two or not is_administrator:
        return None
    return not_now("is_administrator", f"{gone_one.name} is an administrator.", "Revoke that role first; it takes another administrator.")


def why_not_administer(asker: Asker) -> Refusal | None:
    """Configuring people, teams and the catalogue is for administrators."""
    if asker.is_administrator:
        return None
    return not_allowed("not_administrator", "Only an administrator changes this.", ASK_ADMINISTRATOR)


def why_not_rename_person(asker: Asker, subject: Subject) -> Refusal | None:
    """Everybody names themselves; an administrator names anybody."""
    return gone(subject) or (None if asker.id == subject.id else why_not_administer(asker))


def why_not_deactivate_person(asker: Asker, subject: Subject) -> Refusal | None:
    """The last administrator stays: nobody could undo it from a page."""
    if refusal := why_not_administer(asker) or gone(subject):
        return refusal
    if not subject.is_active:
        return not_now("already_inactive", f"{subject.name} is not active already.")
    return last_administrator(subject)


def why_not_reactivate_person(asker: Asker, subject: Subject) -> Refusal | None:
    """A merged person stays gone; somebody active needs nothing."""
    if refusal := why_not_administer(asker) or gone(subject):
        return refusal
    return not_now("already_active", f"{subject.name} is active already.") if subject.is_active else None


def why_not_invite_person(asker: Asker, subject: Subject, *, has_signed_in: bool) -> Refusal | None:
    """A link lets whoever has it act as the person, so it exists only until the person has come in."""
    if refusal := why_not_administer(asker) or absent(subject):
        return refusal
    if has_signed_in:
        cure = "“Forgotten password” on the sign-in page sends a link to them alone."
        return not_now("has_signed_in", f"{subject.name} has signed in already.", cure)
    return None


def why_not_merge_persons(asker: Asker, keep: Subject, gone_one: Subject) -> Refusal | None:
    """Two different persons become one; the one that stays must be able to act.

    Nobody merges themselves: what either of the two holds would become theirs, and nothing would say they gave it to themselves."""
    if refusal := why_not_administer(asker):
        return refusal
    if keep.id == gone_one.id:
        return not_now("same_person", f"{keep.name} cannot be merged into the same person.", "Choose two different people.")
    if refusal := gone(keep) or gone(gone_one) or absent(keep):
        return refusal
    if asker.id in {keep.id, gone_one.id}:
        return not_allowed("merges_oneself", "You cannot merge yourself with somebody.", "Another administrator does it.")
    return None


def why_not_change_identity(asker: Asker, subject: Subject) -> Refusal | None:
    """Identities decide whose commits count as whose, so an administrator vouches for them."""
    return why_not_administer(asker) or gone(subject)


def why_not_remove_identity(asker: Asker, subject: Subject, *, signs_in: bool) -> Refusal | None:
    """The address a person signs in with stays theirs."""
    if refusal := why_not_change_identity(asker, subject):
        return refusal
    return (
        not_now("signs_in_with_it", f"{subject.name} signs in with this address.", "Leave it; other addresses can go.")
        if signs_in
        else None
    )


def why_not_change_team(asker: Asker, team: TeamFacts) -> Refusal | None:
    """A retired team stays as it was."""
    return why_not_administer(asker) or retired_team(team)


def why_not_retire_team(asker: Asker, team: TeamFacts) -> Refusal | None:
    """A team with members still answers for something."""
    if refusal := why_not_change_team(asker, team):
        return refusal
    if team.members:
        return not_now("team_has_members", f"{team.name} has members: {', '.join(team.members)}.", "End their membership first.")
    return None


def why_not_start_membership(asker: Asker, team: TeamFacts, subject: Subject, *, stands: bool) -> Refusal | None:
    """One standing membership per person and team."""
    if refusal := why_not_change_team(asker, team) or absent(subject):
        return refusal
    return not_now("already_member", f"{subject.name} is in {team.name} already.") if stands else None


def why_not_end_membership(asker: Asker, team: TeamFacts, subject: Subject, *, stands: bool) -> Refusal | None:
    """Only a standing membership ends."""
    if refusal := why_not_administer(asker):
        return refusal
    return None if stands else not_now("not_member", f"{subject.name} is not in {team.name}.")


def why_not_grant_role(asker: Asker, subject: Subject, role: Role, *, team: TeamFacts | None, stands: bool) -> Refusal | None:
    """One standing grant per person, role and team; administrators and auditors are for everything."""
    if refusal := why_not_administer(asker) or absent(subject) or (retired_team(team) if team else None):
        return refusal
    if team and role in WIDE_ONLY:
        return not_now("role_is_wide", f"{role.label} is a role for the whole installation.", "Grant it without a team.")
    return not_now("already_granted", f"{subject.name} has this role already.") if stands else None


def why_not_revoke_role(asker: Asker, subject: Subject, role: Role, *, stands: bool) -> Refusal | None:
    """The last active administrator keeps the role."""
    if refusal := why_not_administer(asker):
        return refusal
    if not stands:
        return not_now("not_granted", f"{subject.name} does not have this role.")
    return last_administrator(subject) if role is Role.ADMINISTRATOR else None


def why_not_issue_personal_token(asker: Asker) -> Refusal | None:
    """A token makes no tokens: it could outlive itself."""
    if asker.uses_token:
        return not_allowed("token_makes_no_token", "A token cannot issue tokens.", "Sign in with a browser and issue it there.")
    return None


def why_not_revoke_personal_token(asker: Asker, *, owner: UUID, revoked_at: datetime | None) -> Refusal | None:
    """Everybody revokes their own; an administrator revokes anybody's."""
    if asker.id != owner and (refusal := why_not_administer(asker)):
        return refusal
    return not_now("already_revoked", "This token is revoked already.") if revoked_at else None


def gone(subject: Subject) -> Refusal | None:
    """A merged person is only a pointer: whatever is meant is meant for the other one."""
    if subject.is_merged:
        return not_now("person_merged", f"{subject.name} was merged into {subject.merged_into}.", f"Do this for {subject.merged_into}.")
    return None


def absent(subject: Subject) -> Refusal | None:
    """Somebody who cannot act gets nothing new."""
    if refusal := gone(subject):
        return refusal
    return None if subject.is_active else not_now("person_inactive", f"{subject.name} is not active.", "Reactivate the person first.")


def retired_team(team: TeamFacts) -> Refusal | None:
    """A retired team stays as it was."""
    return not_now("team_retired", f"{team.name} is retired.", "Choose a team that is not.") if team.is_retired else None


def last_administrator(subject: Subject) -> Refusal | None:
    """Somebody must be able to configure the installation."""
    if not subject.is_last_administrator:
        return None
    return not_now(
        "last_administrator",
        f"{subject.name} is the last active administrator.",
        "Grant the role to somebody else first; nobody could undo this.",
    )


def why_not_reset_factors(asker: Asker, subject: Subject, *, factors: int) -> Refusal | None:
    """Somebody else vouches that the person lost them: an administrator who reset their own would need nobody."""
    if refusal := why_not_administer(asker) or absent(subject):
        return refusal
    if asker.id == subject.id:
        return not_allowed(
            "resets_oneself", "You cannot reset your own factors.", "Remove them on your profile page, or ask another administrator."
        )
    return None if factors else not_now("no_factors", f"{subject.name} has no passkey and no authenticator app.")


def why_not_enrol(asker: Asker) -> Refusal | None:
    """A script proves nothing about who sits at the browser."""
    if asker.uses_token:
        return not_allowed(
            "token_enrols_nothing", "A token cannot change what you sign in with.", "Sign in with a browser and do it there."
        )
    return None
