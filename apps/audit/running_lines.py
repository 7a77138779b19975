"""The words for events of what runs: deployments, what nobody declared, incidents, and what people are told of them."""

from collections.abc import Mapping
from typing import Final

from apps.audit.line import Line
from apps.audit.vocabulary import Event

RUNNING_LINES: Final[Mapping[str, Line]] = {
    # deployments
    Event.DEPLOYMENT_ORDERED: Line("rocket", "ink", "{by} *ordered* {deployment}[: {label}] to {environment} for {service}."),
    Event.DEPLOYMENT_CLAIMED: Line("server", "mute", "A worker *took up* {deployment}.", "[Attempt {attempt}.]"),
    Event.DEPLOYMENT_STARTED: Line("rocket", "ink", "{deployment} *began* in {environment} for {service}."),
    Event.DEPLOYMENT_VERIFYING: Line("eye-search", "ink", "{deployment} is *being checked* in {environment}."),
    Event.DEPLOYMENT_SUCCEEDED: Line("rocket", "go", "{deployment} *succeeded* in {environment}[: {service} runs {label}]."),
    Event.DEPLOYMENT_FAILED: Line("circle-x", "stop", "{deployment} *failed* in {environment} for {service}."),
    Event.DEPLOYMENT_ABORTING: Line("player-stop", "wait", "{by} *asked* {deployment} *to stop*."),
    Event.DEPLOYMENT_ABORTED: Line("player-stop", "mute", "{deployment} *stopped* as asked."),
    Event.DEPLOYMENT_LOST: Line(
        "help-hexagon", "unknown", "The worker of {deployment} *fell silent*.", "Unknown is not failed: the target is asked what is true."
    ),
    Event.DEPLOYMENT_RECONCILING: Line("zoom-question", "unknown", "{environment} is *being asked* what {deployment} did there."),
    Event.DEPLOYMENT_NEEDS_HUMAN: Line(
        "user-exclamation", "stop", "{deployment} *needs a person*: nobody knows what is true in {environment}."
    ),
    Event.DEPLOYMENT_REFUSED: Line(
        "ban", "stop", "{deployment} was *refused at the last moment*.", "[Refused: {code}.] Nothing was touched."
    ),
    Event.DEPLOYMENT_REPORTED: Line("message", "mute", "CI *reported*[ {kind}] of {deployment} in {environment} for {service}."),
    Event.DEPLOYMENT_REPORT_REFUSED: Line("ban", "wait", "A report of {subject} was *refused*.", "[Refused: {code}.]"),
    Event.DEPLOYMENT_SILENT: Line(
        "help-hexagon",
        "unknown",
        "CI *fell silent* about {deployment} in {environment}.",
        "Unknown is not failed: nothing else begins there.",
    ),
    Event.DEPLOYMENT_OFFLINE: Line(
        "alert-triangle",
        "wait",
        "{deployment} *began while the installation was away*, as its ticket permits.",
        "[The gate says {verdict}.]",
    ),
    Event.DEPLOYMENT_CONFIRMED: Line("eye-check", "go", "{deployment} was *seen running* in {environment}."),
    Event.UNDECLARED_SEEN: Line(
        "alert-triangle", "stop", "{service} in {environment} runs[ {label},] *what nobody declared*.", "[Seen by {source}.]"
    ),
    Event.UNDECLARED_SETTLED: Line("eye-check", "ink", "{by} *settled* what ran undeclared in {environment} for {service}[: {outcome}]."),
    Event.UNDECLARED_REFUSED: Line("ban", "stop", "{by} could *not settle* what ran undeclared.", "[Refused: {code}.]"),
    Event.ROLLBACK_ORDERED: Line(
        "arrow-back-up", "stop", "{by} *ordered the way back*[ of {undoes}][ to {label}] in {environment} for {service}."
    ),
    Event.CHECK_PASSED: Line("heartbeat", "go", "The check[ {check}] *passed*[ for {deployment}]."),
    Event.CHECK_FAILED: Line("heartbeat", "stop", "The check[ {check}] *failed*[ for {deployment}]."),
    # incidents
    Event.INCIDENT_OPENED: Line("flame", "stop", "{by} *opened* {incident}[ about {service}][ in {environment}].", "[{title}.]"),
    Event.INCIDENT_RECOVERED: Line("bandage", "go", "{incident} *recovered*: users are well again."),
    Event.INCIDENT_RESOLVED: Line("circle-check", "go", "{by} *resolved* {incident}."),
    Event.TIMELINE_NOTED: Line("message", "mute", "{by} *noted* in {incident}."),
    Event.TIMELINE_CORRECTED: Line("pencil", "wait", "{by} *corrected* the timeline of {incident}."),
    # notifications
    Event.NOTIFICATIONS_CHOSEN: Line("bell", "mute", "{subject} *chose* what to be told."),
    Event.NOTIFICATION_FAILED: Line(
        "mail", "stop", "{person} could *not be told*[ of {change}][ of {deployment}][ of {incident}] by mail.", "[Tries: {tries}.]"
    ),
    Event.NOTIFICATION_RETRIED: Line("mail", "wait", "{by} had a mail to {person} *tried again*."),
}
