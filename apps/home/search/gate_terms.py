"""The terms that a search of the gate's log may hold. Pure: no Django, no rows, no clock."""

from apps.home.search.terms import Spec, Takes

VERDICTS = {"allow": "ALLOW", "yes": "ALLOW", "pending": "PENDING", "not_yet": "PENDING", "deny": "DENY", "no": "DENY"}
VERDICT_WORDS = {"allow": "yes", "pending": "not yet", "deny": "no", "not_yet": "not yet"}

GATE_SPECS = {
    spec.key: spec
    for spec in (
        Spec("verdict", Takes.CHOICE, "the last answer", "allow, pending or deny", tuple(VERDICTS)),
        Spec("service", Takes.NAME, "service", "short name of a service"),
        Spec("env", Takes.NAME, "environment", "short name of an environment"),
        Spec("code", Takes.NAME, "code", "what was found, such as frozen or no_change"),
        Spec("token", Takes.NAME, "asked by", "the name of a token, or how it begins, such as ccg_1a2b3c4d"),
        Spec("change", Takes.NAME, "change", "a change such as CHG-7"),
        Spec("commit", Takes.HEX, "commit", "the beginning of a commit, seven digits or more"),
        Spec("digest", Takes.HEX, "digest", "the beginning of an artifact's sha256, seven digits or more"),
        Spec("since", Takes.DAY, "asked on or after", "a day such as 2026-11-20, or 14d for that many days ago"),
        Spec("before", Takes.DAY, "asked before", "a day such as 2026-11-20, or 14d for that many days ago"),
    )
}
