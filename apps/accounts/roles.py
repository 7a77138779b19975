"""The roles and what each is for, as data."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may be asked to do, for the whole installation, for one team's services or for one service."""

    REQUESTER = "REQUESTER"
    APPROVER = "APPROVER"
    RELEASE_MANAGER = "RELEASE_MANAGER"
    OPERATOR = "OPERATOR"
    AUDITOR = "AUDITOR"
    ADMINISTRATOR = "ADMINISTRATOR"

    @property
    def label(self) -> str:
        """The role as people say it."""
        return self.value.replace("_", " ").capitalize()

    @property
    def holder(self) -> str:
        """Somebody who has the role: “an operator”."""
        return f"{'an' if self.value[0] in 'AO' else 'a'} {self.label.lower()}"


# These two are for the whole installation: a team cannot have its own.
WIDE_ONLY = frozenset({Role.ADMINISTRATOR, Role.AUDITOR})
FOR_ONE_SERVICE = tuple(role for role in Role if role not in WIDE_ONLY)

PURPOSE = {
    Role.REQUESTER: "asks for changes and edits them",
    Role.APPROVER: "signs off where a policy names approvers",
    Role.RELEASE_MANAGER: "declares freezes, places holds, starts deployments, signs off where a policy asks for release management",
    Role.OPERATOR: "starts and stops deployments, adopts what runs, leads incidents",
    Role.AUDITOR: "reads everything, restricted services too, and exports evidence",
    Role.ADMINISTRATOR: "configures people, services, environments and policies; signs nothing off",
}
