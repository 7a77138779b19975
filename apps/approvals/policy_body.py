"""A policy as a document: read strictly, written once as canonical bytes, turned into frozen rules. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any
from uuid import UUID

from apps.accounts.roles import Role
from apps.approvals.rules import Group, PolicyFacts, RuleFacts, Strength
from apps.core.canonical import UnknownSchema, canonical_bytes, canonical_text
from apps.core.refusals import BadContent
from apps.core.texts import why_not_line

SCHEMA = 1
KEY = re.compile(r"[a-z][a-z0-9_-]{0,39}")
OWNERS = ("BUSINESS", "TECHNICAL", "ANY")
MEANINGS = ("APPROVAL", "REVIEW", "AUTHORISATION")
PARTS = ("scope", "plan", "rollback", "period", "story")
SIGNED = ("scope", "plan", "rollback", "period")
HANDS = ("requester", "last_editor")  # kept out unless a policy says otherwise
MAKERS = ("author", "committer")  # kept out where a policy says so
IMPLEMENTER = "implementer"  # whoever has it deployed; kept out where a policy says so
PROMOTIONS = ("ONE", "ALL")
LARGEST_RULES, LARGEST_NEEDED, LARGEST_STAGE, LARGEST_PERSONS = 20, 20, 9, 100
LONGEST_LABEL, LONGEST_WAIT = 80, 24 * 90
# Left out where they are not asked for: a wording from before there were these switches keeps its bytes.
TWO_FACTORS, EVIDENCE = "require_two_factors", "require_evidence"
# What time does to an agreement that is waited for, in hours since it is; left out where nothing shall happen.
WAITS = ("remind_after_hours", "escalate_after_hours", "expire_after_hours")
MEMBERS = {
    "schema", "rules", "exclude", "solo", "require_digest", "promotion", "forbid_approver_start", "require_passkey", TWO_FACTORS, EVIDENCE,
    *WAITS,
}  # fmt: skip
RULE_MEMBERS = {"key", "label", "group", "needed", "stage", "meaning", "parts"}
SWITCHES = ("solo", "require_digest", "forbid_approver_start", "require_passkey")

Errors = dict[str, list[str]]


def default_body() -> dict[str, object]:
    """The policy of production as a new installation has it: one owner, neither requester nor last editor, by two factors."""
    rule = {"key": "owner", "label": "Owner", "group": {"kind": "OWNER", "owner": "ANY"}, "needed": 1, "stage": 1}
    return {"schema": SCHEMA, "rules": [{**rule, "meaning": "APPROVAL", "parts": list(SIGNED)}], "exclude": list(HANDS), TWO_FACTORS: True}


def policy_bytes(document: object) -> bytes:
    """Check a policy document and return its canonical bytes; raises BadContent naming each field."""
    if not isinstance(document, Mapping):
        raise BadContent({"rules": ["A policy is an object with rules."]})
    errors: Errors = {}
    for name in sorted(set(map(str, document)) - MEMBERS):
        errors[name] = ["A policy has no such field."]
    if document.get("schema", SCHEMA) != SCHEMA:
        errors["schema"] = [f"Only schema {SCHEMA} is known."]
    exclude = _chosen(document.get("exclude", list(HANDS)), (*HANDS, *MAKERS, IMPLEMENTER), "exclude", errors)
    body = {
        "schema": SCHEMA,
        "rules": _rules(document.get("rules"), errors),
        "exclude": exclude,
        "promotion": _one_of(document.get("promotion", "ONE"), PROMOTIONS, "promotion", errors),
        **{name: _switch(document.get(name, False), name, errors) for name in SWITCHES},
        **_two_factors(document, errors),
        **({EVIDENCE: True} if _switch(document.get(EVIDENCE, False), EVIDENCE, errors) else {}),
        **_waits(document, errors),
    }
    if not body["solo"] and "requester" not in exclude and "exclude" not in errors:
        errors["exclude"] = ["Nobody agrees to their own change. Keep requester, or switch solo on."]
    if errors:
        raise BadContent(errors)
    return canonical_bytes(body)


def read_policy(body: bytes, *, policy_id: UUID, name: str, number: int, digest: str) -> PolicyFacts:
    """Read stored bytes as frozen facts; they were checked when they were written. Raises UnknownSchema."""
    document = json.loads(bytes(body))
    if document["schema"] != SCHEMA:
        raise UnknownSchema(f"Schema {document['schema']!r} of a policy is not known here; {SCHEMA} is the newest.")
    return PolicyFacts(
        id=policy_id,
        name=name,
        number=number,
        digest=digest,
        rules=tuple(_rule_facts(rule) for rule in document["rules"]),
        exclude=frozenset(document["exclude"]),
        solo=document["solo"],
        require_digest=document["require_digest"],
        require_evidence=document.get(EVIDENCE, False),
        promotion=document["promotion"],
        forbid_approver_start=document["forbid_approver_start"],
        strength=strength_of(document),
        **{name: document[name] for name in WAITS if name in document},
    )


def _rule_facts(rule: Mapping[str, Any]) -> RuleFacts:
    given = rule["group"]
    group = Group(
        kind=given["kind"],
        owner=given.get("owner", ""),
        role=given.get("role", ""),
        team=UUID(given["team"]) if "team" in given else None,
        persons=frozenset(UUID(person) for person in given.get("persons", ())),
    )
    return RuleFacts(rule["key"], rule["label"], group, rule["needed"], rule["stage"], rule["meaning"], tuple(rule["parts"]))


def strength_of(document: Mapping[str, object]) -> Strength:
    """What a document asks a signature to be proved by."""
    if document.get("require_passkey"):
        return Strength.PASSKEY
    return Strength.TWO_FACTORS if document.get(TWO_FACTORS) else Strength.ANY


def switches_of(strength: Strength) -> dict[str, bool]:
    """How a document asks for it."""
    return {"require_passkey": strength is Strength.PASSKEY, TWO_FACTORS: strength is Strength.TWO_FACTORS}


def _two_factors(document: Mapping[str, object], errors: Errors) -> dict[str, bool]:
    """Nothing where a passkey is asked for: that is two factors already."""
    is_asked = _switch(document.get(TWO_FACTORS, False), TWO_FACTORS, errors)
    return {TWO_FACTORS: True} if is_asked and document.get("require_passkey") is not True else {}


def _waits(document: Mapping[str, object], errors: Errors) -> dict[str, int]:
    """The hours that are given, each later than the one before it."""
    given = {name: document[name] for name in WAITS if document.get(name) is not None}
    hours = {name: _whole(value, 1, LONGEST_WAIT, name, errors) for name, value in given.items()}
    for earlier, later in combinations(hours, 2):
        if hours[earlier] >= hours[later] and not errors.keys() & {earlier, later}:
            errors[later] = [f"More than {hours[earlier]} hours: something milder happens then already."]
    return hours


def _rules(value: object, errors: Errors) -> list[dict[str, object]]:
    if not isinstance(value, list) or not value:
        errors["rules"] = ["Add at least one rule: who agrees."]
        return []
    if len(value) > LARGEST_RULES:
        errors["rules"] = [f"A policy has at most {LARGEST_RULES} rules."]
        return []
    rules = [_rule(rule, f"rules.{at}", errors) for at, rule in enumerate(value)]
    for at, rule in enumerate(rules):
        if rule.get("key") in [earlier.get("key") for earlier in rules[:at]]:
            errors[f"rules.{at}.key"] = ["Another rule of this policy has this key."]
    return rules


def _rule(value: object, at: str, errors: Errors) -> dict[str, object]:
    if not isinstance(value, Mapping):
        errors[at] = ["A rule is an object."]
        return {}
    for name in sorted(set(map(str, value)) - RULE_MEMBERS):
        errors[f"{at}.{name}"] = ["A rule has no such field."]
    key = value.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        errors[f"{at}.key"] = ["A key is small letters, digits, - and _, at most 40, and begins with a letter."]
    return {
        "key": key,
        "label": _label(value.get("label"), f"{at}.label", errors),
        "group": _group(value.get("group"), f"{at}.group", errors),
        "needed": _whole(value.get("needed", 1), 0, LARGEST_NEEDED, f"{at}.needed", errors),
        "stage": _whole(value.get("stage", 1), 1, LARGEST_STAGE, f"{at}.stage", errors),
        "meaning": _one_of(value.get("meaning", "APPROVAL"), MEANINGS, f"{at}.meaning", errors),
        "parts": _chosen(value.get("parts", list(SIGNED)), PARTS, f"{at}.parts", errors, least=1),
    }


def _group(value: object, at: str, errors: Errors) -> dict[str, object]:
    kinds: dict[str, tuple[str, Callable[[object, str, Errors], object]]] = {
        "OWNER": ("owner", lambda given, where, into: _one_of(given, OWNERS, where, into)),
        "ROLE": ("role", lambda given, where, into: _one_of(given, [role.value for role in Role], where, into)),
        "TEAM": ("team", _id),
        "PERSONS": ("persons", _persons),
    }
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(kind, str) or kind not in kinds:
        errors[f"{at}.kind"] = [f"Say whose agreement: {', '.join(kinds)}."]
        return {}
    name, read = kinds[kind]
    for extra in sorted(set(map(str, value)) - {"kind", name}):
        errors[f"{at}.{extra}"] = [f"A group of kind {kind} has no such field."]
    return {"kind": kind, name: read(value.get(name), f"{at}.{name}", errors)}


def _id(value: object, at: str, errors: Errors) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        errors[at] = ["Name it by its id."]
        return ""


def _persons(value: object, at: str, errors: Errors) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= LARGEST_PERSONS:
        errors[at] = [f"Name 1 to {LARGEST_PERSONS} persons by their ids."]
        return []
    return sorted({_id(one, f"{at}.{number}", errors) for number, one in enumerate(value)})


def _label(value: object, at: str, errors: Errors) -> str:
    if not isinstance(value, str):
        errors[at] = ["Say in a few words whose agreement this is."]
        return ""
    if said := why_not_line(value, longest=LONGEST_LABEL):
        errors[at] = [said]
        return ""
    return canonical_text(value).strip()


def _whole(value: object, least: int, largest: int, at: str, errors: Errors) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= largest:
        return value
    errors[at] = [f"A whole number from {least} to {largest}."]
    return least


def _switch(value: object, at: str, errors: Errors) -> bool:
    if not isinstance(value, bool):
        errors[at] = ["True or false."]
    return value is True


def _one_of(value: object, choices: list[str] | tuple[str, ...], at: str, errors: Errors) -> str:
    if isinstance(value, str) and value in choices:
        return value
    errors[at] = [f"One of {', '.join(choices)}."]
    return ""


def _chosen(value: object, choices: tuple[str, ...], at: str, errors: Errors, *, least: int = 0) -> list[str]:
    given = value if isinstance(value, list) else [None]
    if len(given) < least or any(not isinstance(one, str) or one not in choices for one in given):
        errors[at] = [f"Choose from {', '.join(choices)}."]
        return []
    return [choice for choice in choices if choice in given]
