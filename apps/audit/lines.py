"""The words for every event, as data; `sentences` fills them."""

from collections.abc import Mapping
from typing import Final

from apps.audit.line import Line
from apps.audit.running_lines import RUNNING_LINES
from apps.audit.vocabulary import Event

# For an event of a newer version, and for bytes that are no entry: the stream shows that something is there.
UNKNOWN: Final = Line("help-hexagon", "unknown", "This version has *no words* for what happened to {subject}.", "[Event: {event}.]")

LINES: Final[Mapping[str, Line]] = {
    # people
    Event.PERSON_JOINED: Line("user-plus", "go", "{subject} *joined*.", "[Entered by {other}.]"),
    Event.PERSON_INVITED: Line("mail", "wait", "{by} made a *one-time sign-in link* for {subject}."),
    Event.PERSON_SIGNED_IN: Line("user", "mute", "{subject} *signed in*[ by {means}]."),
    Event.PERSON_SIGNED_OUT: Line("logout", "mute", "{subject} *signed out*."),
    Event.PERSON_SIGN_IN_FAILED: Line("lock", "wait", "A sign-in as {subject} *failed*."),
    Event.PERSON_PASSWORD_CHANGED: Line("key", "ink", "{subject} has a *new password*.", "[Set by {other}.]"),
    Event.PERSON_RENAMED: Line("pencil", "ink", "{by} *renamed* {subject}.", "[From {old_name}][ to {name}.]"),
    Event.PERSON_DEACTIVATED: Line("user-off", "stop", "{by} *deactivated* {subject}.", "Sign-offs not yet used no longer count."),
    Event.PERSON_REACTIVATED: Line("user-check", "go", "{by} *reactivated* {subject}."),
    Event.PERSON_MERGED: Line("users", "ink", "{by} *merged* [{gone} into ]{subject}: one person from now on."),
    Event.PERSON_HOURS_CHANGED: Line("clock", "ink", "{by} changed the *working hours* of {subject}."),
    Event.PERSON_FACTORS_RESET: Line("shield-lock", "stop", "{by} *removed every passkey and code* of {subject}."),
    Event.PASSKEY_ADDED: Line("fingerprint", "go", "{subject} *enrolled a passkey*[, {passkey}].", "[For {rp_id}.]"),
    Event.PASSKEY_REMOVED: Line("fingerprint", "wait", "A passkey of {subject}[, {passkey},] was *removed*.", "[By {other}.]"),
    Event.PASSKEY_RENAMED: Line("fingerprint", "ink", "{by} *renamed* a passkey[: {old_name} is {name} now]."),
    Event.PASSKEY_REFUSED: Line("fingerprint", "stop", "A passkey of {subject}[, {passkey},] was *refused*: {code}."),
    Event.AUTHENTICATOR_APP_ADDED: Line("lock", "go", "{subject} *enrolled an authenticator app*."),
    Event.AUTHENTICATOR_APP_REMOVED: Line("lock-open", "wait", "The authenticator app of {subject} was *removed*.", "[By {other}.]"),
    Event.RECOVERY_CODES_MADE: Line("list-check", "ink", "{subject} made *recovery codes*.", "Those made before are void."),
    Event.RECOVERY_CODE_USED: Line("list-check", "wait", "{subject} used a *recovery code*[; {left} are left]."),
    Event.PROOF_REFUSED: Line("shield-lock", "wait", "{subject} *did not prove* who they are[: {what}]."),
    Event.SESSIONS_ENDED: Line("logout", "mute", "{subject} *signed out* {count} of their browsers.", "[By {other}.]"),
    Event.IDENTITY_ADDED: Line(
        "fingerprint", "ink", "{subject} is now also known by *one more[ {kind}] identity*.", "[Entered by {other}.]"
    ),
    Event.IDENTITY_REMOVED: Line("fingerprint", "wait", "{by} *removed* an identity[ ({kind})] of {subject}."),
    Event.TEAM_CREATED: Line("users-group", "go", "{by} *created* the team {subject}."),
    Event.TEAM_RENAMED: Line("pencil", "ink", "{by} *renamed* the team {subject}.", "[From {old_name}][ to {name}.]"),
    Event.TEAM_RETIRED: Line("users-group", "stop", "{by} *retired* the team {subject}."),
    Event.MEMBERSHIP_STARTED: Line("user-plus", "ink", "{person} *is in* {team}.", "[Entered by {other}.]"),
    Event.MEMBERSHIP_ENDED: Line("door-exit", "wait", "{person} *left* {team}.", "[Entered by {other}.]"),
    Event.ROLE_GRANTED: Line("shield-check", "ink", "{by} *granted* {person} the role {role}[ for {team}][ for {service}]."),
    Event.ROLE_REVOKED: Line("shield-lock", "wait", "{by} *revoked* the role {role} of {person}[ for {team}][ for {service}]."),
    Event.INSTALLATION_SET_UP: Line("home", "go", "{by} *set up* this installation."),
    Event.ADMINISTRATOR_ASKED: Line(
        "shield-check", "wait", "{by} *asked* to {what}.", "Another administrator who does the same makes it happen."
    ),
    Event.ADMINISTRATOR_AGREED: Line("shield-check", "wait", "{by} *agreed* to {what}.", "[Asked for by {proposer}.]"),
    Event.ADMINISTRATOR_CREATED: Line("shield-check", "wait", "{subject} *became administrator* by a command on the host."),
    Event.PERSONAL_TOKEN_ISSUED: Line("key", "ink", "{by} *issued* a personal token[, {name}]."),
    Event.PERSONAL_TOKEN_REVOKED: Line("key", "wait", "{by} *revoked* a personal token[, {name}]."),
    # catalogue
    Event.SERVICE_CREATED: Line("packages", "go", "{by} *entered* the service {service}."),
    Event.SERVICE_CHANGED: Line("pencil", "ink", "{by} *changed* the service {service}."),
    Event.SERVICE_RETIRED: Line("packages", "stop", "{by} *retired* the service {service}.", "The gate says no to it from now on."),
    Event.OWNERSHIP_STARTED: Line("user-check", "ink", "{person} *answers for* {service}[ as {kind} owner].", "[Entered by {other}.]"),
    Event.OWNERSHIP_ENDED: Line(
        "door-exit", "wait", "{person} *no longer answers for* {service}[ as {kind} owner].", "[Entered by {other}.]"
    ),
    Event.ENVIRONMENT_CREATED: Line("stack-2", "go", "{by} *entered* the environment {environment}."),
    Event.ENVIRONMENT_CHANGED: Line(
        "pencil",
        "ink",
        "{by} *changed* the environment {environment}.",
        "[A change there was {change_required_before}, it is {change_required_now} from now on.][ Proposed by {proposer}.][ {single_handed}]",
    ),
    Event.ENVIRONMENT_RETIRED: Line("stack-2", "stop", "{by} *retired* the environment {environment}."),
    Event.TARGET_CREATED: Line("target", "go", "{by} *entered* {service} in {environment}."),
    Event.TARGET_SETTINGS_CHANGED: Line(
        "settings", "wait", "{by} *changed how* {service} is deployed to {environment}.", "[Version {number}.]"
    ),
    Event.TARGET_LOCKED: Line("lock", "stop", "{by} *locked* {service} in {environment}."),
    Event.TARGET_UNLOCKED: Line("lock-open", "go", "{by} *unlocked* {service} in {environment}."),
    Event.TARGET_OCCUPIED: Line("target", "ink", "{service} in {environment} is *taken*[ by {deployment}]."),
    Event.TARGET_FREED: Line("target", "mute", "{service} in {environment} is *free* again."),
    Event.VERSION_ARRIVED: Line("versions", "ink", "{label} *arrived* at {service} in {environment}[: {outcome}]."),
    Event.VERSION_ADOPTED: Line(
        "versions", "wait", "{by} *adopted* {label} as what runs in {service} in {environment}.", "No change stands behind it."
    ),
    # changes
    Event.CHANGE_CREATED: Line("circle-plus", "ink", "{by} *wrote* {change}."),
    Event.CHANGE_REVISED: Line("pencil", "ink", "{by} saved *revision {revision}* of {change}.", "[Changed: {parts}.]"),
    Event.CHANGE_SUBMITTED: Line("send", "ink", "{by} *submitted* {change}."),
    Event.CHANGE_SENT_BACK: Line("arrow-back-up", "wait", "{by} *sent* {change} *back* for more work."),
    Event.CHANGE_APPROVED: Line("circle-check", "go", "{change} is *approved*.", "Every leg has the agreement it needs."),
    Event.CHANGE_REOPENED: Line("refresh-alert", "wait", "{change} is *in review again*."),
    Event.CHANGE_STARTED: Line("progress", "ink", "{change} is *in progress*."),
    Event.CHANGE_FINISHED: Line("clipboard-check", "ink", "{change} is *done*[: {outcome}].", "The review after it is open."),
    Event.CHANGE_CLOSED: Line("circle-check-f", "mute", "{by} *closed* {change}[: {outcome}]."),
    Event.CHANGE_REJECTED: Line("circle-x", "stop", "{change} is *rejected*.", "By {by}."),
    Event.CHANGE_WITHDRAWN: Line("circle-minus", "mute", "{by} *withdrew* {change}."),
    Event.CHANGE_EXPIRED: Line("hourglass-off", "mute", "{change} *expired*."),
    Event.CHANGE_COMMENTED: Line("message", "mute", "{by} *commented* on {change}."),
    Event.EVIDENCE_ATTACHED: Line("paperclip", "ink", "{by} *showed* {name} for {change}[, {place}].", "[{size} bytes, kind {kind}.]"),
    Event.DEPENDENCY_ADDED: Line("link", "ink", "{by} put {subject} *after* {needs}."),
    Event.DEPENDENCY_ENDED: Line("link", "mute", "{by} no longer puts {subject} *after* {needs}."),
    Event.CHANGE_MODEL_WRITTEN: Line(
        "template", "ink", "{by} *wrote* the change model {name}[, version {number}].", "[Proposed by {proposer}.][{single_handed}]"
    ),
    Event.CHANGE_MODEL_RETIRED: Line("template", "stop", "{by} *retired* the change model {name}."),
    Event.CHANGE_MODEL_PROPOSED: Line(
        "template", "wait", "{by} *proposed* that the change model {name} approves changes beforehand.", "A second person agrees to it."
    ),
    Event.CHANGE_MODEL_PROPOSAL_DECIDED: Line(
        "template", "ink", "{by} *decided* on the proposed change model[ {name}][: {outcome}].", "[By {proposer}.]"
    ),
    Event.CHANGE_MODEL_REFUSED: Line("ban", "stop", "{by} could *not change* a change model.", "[Refused: {code}.]"),
    Event.CHANGE_PRE_APPROVED: Line(
        "template", "go", "{change} is *approved beforehand* by the model {name}[, version {number}].", "[{places}: nobody has to sign.]"
    ),
    Event.CHANGE_WATCHED: Line("eye-check", "mute", "{by} *watches* {change}."),
    Event.CHANGE_UNWATCHED: Line("eye-off", "mute", "{by} *watches* {change} *no more*."),
    Event.SEARCH_SAVED: Line("filter", "mute", "{by} *saved a search*[: {name}]."),
    Event.SEARCH_REMOVED: Line("filter", "mute", "{by} *removed a saved search*[: {name}]."),
    Event.LEG_STARTED: Line("progress", "ink", "{change} *began* in {environment} for {service}."),
    Event.LEG_DONE: Line("circle-check", "go", "{change} is *done* in {environment} for {service}."),
    Event.LEG_FAILED: Line("circle-x", "stop", "{change} *failed* in {environment} for {service}."),
    Event.LEG_ROLLED_BACK: Line(
        "arrow-back-up", "stop", "{change} was *rolled back* in {environment} for {service}.", "Another start needs a new revision."
    ),
    Event.LEG_SKIPPED: Line("player-skip-forward", "mute", "{change} *skips* {environment} for {service}."),
    Event.LEG_REOPENED: Line("refresh", "wait", "{change} *may start again* in {environment} for {service}."),
    # schedule
    Event.FREEZE_DECLARED: Line(
        "snowflake", "freeze", "{by} *declared a freeze*[ for {scope}][: {title}].", "[From {starts_at}][ to {ends_at}.]"
    ),
    Event.FREEZE_LIFTED: Line("sun", "go", "{by} *lifted the freeze*[ for {scope}][: {title}]."),
    Event.WINDOW_DECLARED: Line(
        "calendar-plus", "ink", "{by} *declared a window*[ for {scope}][: {title}].", "[From {starts_at}][ to {ends_at}.]"
    ),
    Event.WINDOW_LIFTED: Line("calendar-off", "wait", "{by} *lifted the window*[ for {scope}][: {title}]."),
    Event.HOLD_PLACED: Line("hand-stop", "stop", "{by} *placed a hold*[ on {scope}]."),
    Event.HOLD_LIFTED: Line("hand-stop", "go", "{by} *lifted the hold*[ on {scope}]."),
    Event.SLOT_BOOKED: Line("calendar-event", "ink", "{by} *planned* {change}[ for {starts_at}]."),
    Event.SLOT_MOVED: Line("calendar-event", "ink", "{by} *moved* {change}[ to {starts_at}].", "Inside the period: no sign-off lapsed."),
    Event.SLOT_RELEASED: Line("calendar-x", "mute", "{by} *gave up the slot* of {change}."),
    Event.RESERVATION_MADE: Line("calendar-event", "ink", "{service}[ in {environment}] is *kept free for the way back*[ until {until}]."),
    Event.RESERVATION_RELEASED: Line("calendar-off", "mute", "The calendar of {service}[ in {environment}] is *free* again."),
    # approvals
    Event.POLICY_WRITTEN: Line(
        "scale",
        "wait",
        "{by} *wrote* the policy[ {name}][, version {number}][, for {environment}].",
        "[Proposed by {proposer}.][{single_handed}]",
    ),
    Event.POLICY_RETIRED: Line("scale", "stop", "{by} *retired* the policy[ {name}].", "[Proposed by {proposer}.][{single_handed}]"),
    Event.POLICY_PROPOSED: Line(
        "scale", "wait", "{by} *proposed* a change of the policy[ {name}][, for {environment}].", "Another administrator confirms it."
    ),
    Event.POLICY_PROPOSAL_DECIDED: Line("scale", "ink", "{by} *decided* on the proposed policy[ {name}][: {outcome}].", "[By {proposer}.]"),
    Event.SIGN_OFF_GIVEN: Line(
        "writing-sign", "go", "{signer} *signed*[ revision {revision} of] {change}[: {decision}].", "[{solo}][ Covers {parts}.]"
    ),
    Event.SIGN_OFF_WITHDRAWN: Line("writing-sign", "wait", "{signer} *withdrew the sign-off* of {change}."),
    Event.SIGN_OFF_LAPSED: Line(
        "refresh-alert", "wait", "The sign-off[ of {signer}][ on {change}] *lapsed*: what it covered changed.", "[Changed: {parts}.]"
    ),
    Event.SIGN_OFF_REFUSED: Line("ban", "stop", "{by} could *not sign* {subject}.", "[Refused: {code}.]"),
    Event.POLICY_REFUSED: Line("ban", "stop", "{by} could *not change* a policy.", "[Refused: {code}.]"),
    Event.ABSENCE_ENTERED: Line("calendar-off", "ink", "{name} is *away* from {starts_at} to {ends_at}.", "[Entered by {other}.]"),
    Event.ABSENCE_CANCELLED: Line("calendar", "ink", "{by} *cancelled* the absence of {name}."),
    Event.DELEGATION_GIVEN: Line("users", "ink", "{by} *asked* {delegate} *to stand in* from {starts_at} to {ends_at}."),
    Event.DELEGATION_ENDED: Line("users", "wait", "{by} *ended* that {delegate} stands in for {name}."),
    Event.DELEGATION_REFUSED: Line("ban", "stop", "{by} could *not change* who stands in.", "[Refused: {code}.]"),
    Event.SIGN_OFF_REMINDED: Line("hourglass", "wait", "{change} *waits for* {name} [since {since}].", "Silence never approves."),
    Event.SIGN_OFF_ESCALATED: Line(
        "alert-triangle", "wait", "{change} *waits for an agreement*[ since {since}]; {name} is told.", "Silence never approves."
    ),
    Event.EXCEPTION_ASKED: Line(
        "bolt", "wait", "{by} *asked for the exception* {ref}[ for {change}][: {kind}].", "[Lifts {lifts}.][ For {minutes} minutes.]"
    ),
    Event.EXCEPTION_AGREED: Line(
        "bolt",
        "wait",
        "{by} *agreed to the exception* {ref}[ for {change}][: {kind}].",
        "[Until {until}.][ Its review is due {due}.]",
    ),
    Event.EXCEPTION_DECLINED: Line("ban", "stop", "{by} *refused the exception* {ref}[ for {change}]."),
    Event.EXCEPTION_WITHDRAWN: Line("bolt", "mute", "{by} *withdrew the exception* {ref}[ for {change}]."),
    Event.EXCEPTION_LAPSED: Line(
        "clock", "mute", "The request for the exception {ref}[ for {change}] *is over*.", "Nobody decided within 24 hours."
    ),
    Event.EXCEPTION_REMINDED: Line("hourglass", "wait", "The review of {ref}[ for {change}] *is due* {due}.", "[{team} owes it.]"),
    Event.EXCEPTION_REVIEWED: Line("clipboard-check", "go", "{by} *wrote the review* of {ref}[ for {change}]."),
    Event.EXCEPTION_OVERDUE: Line(
        "alert-triangle", "stop", "The review of {ref}[ for {change}] is *overdue*.", "[{team} gets no exception before it is written.]"
    ),
    Event.EXCEPTION_REFUSED: Line("ban", "stop", "{by} was *refused an exception*[ for {change}].", "[Refused: {code}.]"),
    # gate
    Event.GATE_ANSWERED: Line(
        "barrier-block", "ink", "The gate answered *{verdict}*[ to {service}][ in {environment}].", "[For {change}.]"
    ),
    Event.GATE_MONTH_DROPPED: Line(
        "history",
        "wait",
        "{by} *let the gate's answers of* {month} *go*[: {evaluations} questions].",
        "[Answers: {verdicts}.] Their hashes stay here.",
    ),
    Event.GATE_TOKEN_ISSUED: Line("key", "ink", "{by} *issued* a gate token[, {name}]."),
    Event.GATE_TOKEN_REVOKED: Line("key", "wait", "{by} *revoked* a gate token[, {name}]."),
    Event.GATE_TOKEN_ROTATED: Line("key", "ink", "{by} *rotated* a gate token[, {name}].", "The one before works a while longer."),
    Event.GATE_TOKEN_REFUSED: Line("ban", "stop", "A gate token was *refused*.", "[Refused: {code}.]"),
    Event.ISSUER_ADDED: Line("id-badge-2", "ink", "{by} *entered* an issuer of CI tokens[, {name}]."),
    Event.ISSUER_ENDED: Line("id-badge-2", "wait", "{by} *ended* an issuer of CI tokens[, {name}].", "Its trusts ended with it."),
    Event.TRUST_PROPOSED: Line("id-badge-2", "wait", "{by} *proposed to trust* CI jobs[: {name}].", "Another administrator confirms it."),
    Event.TRUST_BEGUN: Line("id-badge-2", "ink", "{by} *trusts CI jobs*[: {name}].", "[Proposed by {proposer}.][{single_handed}]"),
    Event.TRUST_ENDED: Line("id-badge-2", "wait", "{by} *ended a trust* in CI jobs[: {name}]."),
    Event.TRUST_REFUSED: Line("ban", "stop", "A trust in CI jobs was *refused*[: {name}].", "[Refused: {code}.]"),
    Event.BADGE_SHARED: Line("link", "ink", "{by} *shared the badge* of {service} in {environment}.", "Whoever has its address sees it."),
    Event.BADGE_ENDED: Line("link", "wait", "{by} *ended the badge* of {service} in {environment}.", "Its address shows nothing any more."),
    Event.RULE_MODE_CHANGED: Line(
        "adjustments",
        "wait",
        "{by} *set a rule* of the gate[, {rule},][ to {mode}][ in {environment}].",
        "[Proposed by {proposer}.][{single_handed}]",
    ),
    Event.RELAXATION_PROPOSED: Line(
        "adjustments", "wait", "{by} *proposed* that {environment} asks for less[: {what}, {after}].", "Another administrator confirms it."
    ),
    Event.RELAXATION_DECIDED: Line(
        "adjustments",
        "ink",
        "{by} *decided* whether {environment} asks for less[: {what}, {after}][: {outcome}].",
        "[Proposed by {proposer}.]",
    ),
    Event.OFFLINE_GRACE_CHANGED: Line(
        "adjustments",
        "ink",
        "{by} set for how long a yes in {subject} *permits a start without us*[: {minutes} min].",
        "[Before: {before} min.][ Proposed by {proposer}.][ {single_handed}]",
    ),
    Event.RELAXATION_REFUSED: Line("ban", "stop", "{by} could *not* let an environment ask for less.", "[Refused: {code}.]"),
    Event.TICKET_ISSUED: Line("ticket", "go", "The gate *handed out a ticket*[ for {change}][ in {environment}]."),
    Event.TICKET_SPENT: Line("ticket", "mute", "A ticket was *spent*[ for {change}][ in {environment}]."),
    **RUNNING_LINES,
    # the stream itself
    Event.KEY_LISTED: Line(
        "key", "wait", "A signing key was *listed*[: {key_id}].", "What the host's own key signs counts.[ It stands for {accepts} too.]"
    ),
    Event.DETAIL_ERASED: Line("eraser", "wait", "{by} and a second person *erased* a text[ ({field})] of an earlier entry."),
    Event.STREAM_MOVED: Line("database", "wait", "The stream *moved* to another database cluster[ after seal {after_seal}]."),
    Event.FOLLOWER_FAILED: Line(
        "alert-triangle",
        "stop",
        "*Nothing was done* about an earlier entry[: {follower} failed at it].",
        "[Position {position}, {told}.] The worker's log says why; a person does what should have followed.",
    ),
}
