"""Every event the stream may hold: a closed list of `noun.past`, each with the sentence people read."""

from enum import StrEnum


class Event(StrEnum):
    """What happened. A new event needs a sentence in `sentences.py`."""

    # people
    PERSON_JOINED = "person.joined"
    PERSON_INVITED = "person.invited"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGNED_OUT = "person.signed_out"
    PERSON_SIGN_IN_FAILED = "person.sign_in_failed"
    PERSON_PASSWORD_CHANGED = "person.password_changed"  # noqa: S105 - an event, not a secret
    PERSON_RENAMED = "person.renamed"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_REACTIVATED = "person.reactivated"
    PERSON_MERGED = "person.merged"
    IDENTITY_ADDED = "identity.added"
    IDENTITY_REMOVED = "identity.removed"
    TEAM_CREATED = "team.created"
    TEAM_RENAMED = "team.renamed"
    TEAM_RETIRED = "team.retired"
    MEMBERSHIP_STARTED = "membership.started"
    MEMBERSHIP_ENDED = "membership.ended"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    INSTALLATION_SET_UP = "installation.set_up"
    ADMINISTRATOR_CREATED = "administrator.created"
    PERSONAL_TOKEN_ISSUED = "personal_token.issued"  # noqa: S105
    PERSONAL_TOKEN_REVOKED = "personal_token.revoked"  # noqa: S105
    # catalogue
    SERVICE_CREATED = "service.created"
    SERVICE_CHANGED = "service.changed"
    SERVICE_RETIRED = "service.retired"
    OWNERSHIP_STARTED = "ownership.started"
    OWNERSHIP_ENDED = "ownership.ended"
    ENVIRONMENT_CREATED = "environment.created"
    ENVIRONMENT_CHANGED = "environment.changed"
    ENVIRONMENT_RETIRED = "environment.retired"
    TARGET_CREATED = "target.created"
    TARGET_SETTINGS_CHANGED = "target.settings_changed"
    TARGET_LOCKED = "target.locked"
    TARGET_UNLOCKED = "target.unlocked"
    TARGET_OCCUPIED = "target.occupied"
    TARGET_FREED = "target.freed"
    VERSION_ARRIVED = "version.arrived"
    VERSION_ADOPTED = "version.adopted"
    # changes
    CHANGE_CREATED = "change.created"
    CHANGE_REVISED = "change.revised"
    CHANGE_SUBMITTED = "change.submitted"
    CHANGE_SENT_BACK = "change.sent_back"
    CHANGE_APPROVED = "change.approved"
    CHANGE_REOPENED = "change.reopened"
    CHANGE_STARTED = "change.started"
    CHANGE_FINISHED = "change.finished"
    CHANGE_CLOSED = "change.closed"
    CHANGE_REJECTED = "change.rejected"
    CHANGE_WITHDRAWN = "change.withdrawn"
    CHANGE_EXPIRED = "change.expired"
    CHANGE_COMMENTED = "change.commented"
    LEG_STARTED = "leg.started"
    LEG_DONE = "leg.done"
    LEG_FAILED = "leg.failed"
    LEG_ROLLED_BACK = "leg.rolled_back"
    LEG_SKIPPED = "leg.skipped"
    LEG_REOPENED = "leg.reopened"
    # schedule
    FREEZE_DECLARED = "freeze.declared"
    FREEZE_LIFTED = "freeze.lifted"
    WINDOW_DECLARED = "window.declared"
    WINDOW_LIFTED = "window.lifted"
    HOLD_PLACED = "hold.placed"
    HOLD_LIFTED = "hold.lifted"
    SLOT_BOOKED = "slot.booked"
    SLOT_MOVED = "slot.moved"
    SLOT_RELEASED = "slot.released"
    RESERVATION_MADE = "reservation.made"
    RESERVATION_RELEASED = "reservation.released"
    # approvals
    POLICY_WRITTEN = "policy.written"
    POLICY_RETIRED = "policy.retired"
    SIGN_OFF_GIVEN = "sign_off.given"
    SIGN_OFF_WITHDRAWN = "sign_off.withdrawn"
    SIGN_OFF_LAPSED = "sign_off.lapsed"
    SIGN_OFF_REFUSED = "sign_off.refused"
    POLICY_REFUSED = "policy.refused"
    # gate
    GATE_ANSWERED = "gate.answered"
    GATE_TOKEN_ISSUED = "gate_token.issued"  # noqa: S105
    GATE_TOKEN_REVOKED = "gate_token.revoked"  # noqa: S105
    GATE_TOKEN_REFUSED = "gate_token.refused"  # noqa: S105
    RULE_MODE_CHANGED = "rule_mode.changed"
    TICKET_ISSUED = "ticket.issued"
    TICKET_SPENT = "ticket.spent"
    # deployments
    DEPLOYMENT_ORDERED = "deployment.ordered"
    DEPLOYMENT_CLAIMED = "deployment.claimed"
    DEPLOYMENT_STARTED = "deployment.started"
    DEPLOYMENT_VERIFYING = "deployment.verifying"
    DEPLOYMENT_SUCCEEDED = "deployment.succeeded"
    DEPLOYMENT_FAILED = "deployment.failed"
    DEPLOYMENT_ABORTING = "deployment.aborting"
    DEPLOYMENT_ABORTED = "deployment.aborted"
    DEPLOYMENT_LOST = "deployment.lost"
    DEPLOYMENT_RECONCILING = "deployment.reconciling"
    DEPLOYMENT_NEEDS_HUMAN = "deployment.needs_human"
    DEPLOYMENT_REFUSED = "deployment.refused"
    ROLLBACK_ORDERED = "rollback.ordered"
    CHECK_PASSED = "check.passed"
    CHECK_FAILED = "check.failed"
    # incidents
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_RECOVERED = "incident.recovered"
    INCIDENT_RESOLVED = "incident.resolved"
    TIMELINE_NOTED = "timeline.noted"
    TIMELINE_CORRECTED = "timeline.corrected"
    # the stream itself
    KEY_LISTED = "key.listed"
    DETAIL_ERASED = "detail.erased"
    STREAM_MOVED = "stream.moved"
    FOLLOWER_FAILED = "follower.failed"


# Followers are woken at once after these, not at the next tick.
URGENT = frozenset(
    {Event.ROLLBACK_ORDERED, Event.DEPLOYMENT_FAILED, Event.DEPLOYMENT_NEEDS_HUMAN, Event.CHECK_FAILED, Event.DEPLOYMENT_SUCCEEDED}
)
