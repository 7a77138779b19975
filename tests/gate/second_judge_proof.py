"""What the second judge believes: bytes under a signature of a key that the host trusts, and nothing a row says of itself."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.gate.second_judge_keys import has_assertion, is_asserted
from tests.gate.second_judge_rows import PARTS, Dump, NotJudged, Row, human, sha

Keys = dict[str, bytes]  # the keys that the host trusts, by id; those of issuers of CI tokens by their address
SIGN_OFF, EXCEPTION, MODEL = b"changecontrol/sign-off/v1\n", b"changecontrol/exception/v1\n", b"changecontrol/pre-approval/v1\n"
PROVES = {"passkey", "password_and_code", "password"}  # a session alone proves nobody
REVIEWED_WITHIN = timedelta(hours=72)
LATEST = timedelta(minutes=5)  # from what was read to what is signed


def is_signed(row: Row, prefix: bytes, keys: Keys, data: bytes | None = None) -> bool:
    public, data = keys.get(row["key_id"]), bytes(row["statement"] if data is None else data)
    if public is None or row["alg"] != "Ed25519":
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes(row["signature"]), prefix + data)
    except InvalidSignature:
        return False
    return True


def compact(value: object) -> bytes:
    """Canonical JSON of what is all ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if not text.isascii():
        raise NotJudged("not ASCII")
    return text.encode()


def seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def model_of(rows: Dump, change: Row) -> tuple[Row, Row] | None:
    if change["kind"] != "STANDARD":
        return None
    version = rows.get("changes_changemodelversion", change["made_from_id"])
    return version, rows.get("changes_changemodel", version["model_id"])


def digest_of(rows: Dump, revision: Row, parts: dict[str, str]) -> str:
    """What binds a revision: its parts, its change with kind and requester, its number and author, and its model."""
    change = rows.get("changes_change", revision["change_id"])
    people = {
        name: str(rows.get("accounts_person", key)["public_id"])
        for name, key in (("r", change["requester_id"]), ("a", revision["author_id"]))
    }
    body: dict[str, Any] = {
        "schema": 1,
        "change": str(change["public_id"]),
        "kind": change["kind"],
        "requester": people["r"],
        "number": revision["number"],
        "author": people["a"],
        "parts": parts,
    }
    if (found := model_of(rows, change)) is not None:
        version, model = found
        body["model"] = {"id": str(model["public_id"]), "number": version["number"], "digest": sha(version["body"])}
    return sha(compact(body))


def digests_written(revision: Row) -> dict[str, str]:
    return {part: revision[f"{part}_digest"] for part in PARTS}


def digests_found(revision: Row) -> dict[str, str]:
    return {part: sha(revision[part]) for part in PARTS}


def is_intact(rows: Dump, revision: Row) -> bool:
    found = digests_found(revision)
    return found == digests_written(revision) and digest_of(rows, revision, found) == revision["digest"]


def said_by(rows: Dump, row: Row, prefix: bytes, keys: Keys, *, person: str, at: datetime) -> Row | None:
    """What a signed row says, where a trusted key signed it, and a passkey where it says so, for this person at this moment."""
    if sha(row["statement"]) != row["statement_hash"] or not is_signed(row, prefix, keys):
        return None
    said: Row = json.loads(bytes(row["statement"]))
    by, when = said["by"], datetime.fromisoformat(said["at"])
    if has_assertion(row) != (by["credential"] == "passkey"):
        return None
    if has_assertion(row) and not is_asserted(rows, row, prefix + bytes(row["statement"]), said_at=when, given_at=at):
        return None
    is_timely = by["credential"] in PROVES and timedelta(0) <= at - when <= LATEST
    return said if is_timely and (by["kind"], by["id"], said["person"]["id"]) == ("PERSON", person, person) else None


def sign_off_said(rows: Dump, row: Row, keys: Keys) -> Row | None:
    """What a sign-off says, where its statement is proved and says what its row says."""
    person = str(rows.get("accounts_person", row["person_id"])["public_id"])
    change, revision = rows.get("changes_change", row["change_id"]), rows.get("changes_revision", row["revision_id"])
    said = said_by(rows, row, SIGN_OFF, keys, person=person, at=row["given_at"])
    if said is None:
        return None
    holder = rows.get("approvals_delegation", row["delegation_id"])["person_id"] if row["delegation_id"] else None
    instead = str(rows.get("accounts_person", holder)["public_id"]) if holder else ""
    stated = (
        said["installation"],
        said["change"],
        said["revision"]["number"],
        said["revision"]["digest"],
        said["decision"],
        said["meaning"],
    )
    written = (rows.installation, str(change["public_id"]), revision["number"], digest_of(rows, revision, digests_written(revision)))
    same = stated == (*written, row["decision"], row["meaning"]) and set(said["covers"]) == set(row["covered_parts"])
    return said if same and said["by"].get("on_behalf_of", "") == instead else None


def exception_said(rows: Dump, row: Row, leg: Row, keys: Keys) -> Row | None:
    """What both people of an exception said alike, where both statements are proved and say what the row says."""
    asked, agreed = (
        _half(rows, row, act, who, when, keys)
        for act, who, when in (("ASK", "asked_by_id", "asked_at"), ("AGREE", "agreed_by_id", "agreed_at"))
    )
    if (
        asked is None
        or agreed is None
        or (row["ends_at"], row["review_due_at"])
        != (row["agreed_at"] + timedelta(minutes=row["minutes"]), row["agreed_at"] + REVIEWED_WITHIN)
    ):
        return None
    terms = set(asked) - {"person", "by", "at", "nonce", "act", "asked"}
    first = rows.one("approvals_exceptionsignature", exception_id=row["id"], act="ASK")
    assert first is not None
    if agreed["asked"] != first["statement_hash"] or any(asked[name] != agreed.get(name) for name in terms):
        return None
    revision, change = rows.get("changes_revision", row["revision_id"]), rows.get("changes_change", leg["change_id"])
    stated = (asked["installation"], asked["change"], asked["revision"], asked["leg"], asked["target"], asked["kind"], set(asked["lifts"]))
    number = {"number": revision["number"], "digest": digest_of(rows, revision, digests_written(revision))}
    target = str(rows.get("catalog_target", leg["target_id"])["public_id"])
    written = (rows.installation, str(change["public_id"]), number, str(leg["public_id"]), target, row["kind"], set(row["lifts"]))
    same = stated == written and (asked["minutes"], asked["reason"]) == (row["minutes"], row["reason"])
    return agreed if same and asked["person"]["id"] != agreed["person"]["id"] else None


def _half(rows: Dump, row: Row, act: str, who: str, when: str, keys: Keys) -> Row | None:
    found = rows.one("approvals_exceptionsignature", exception_id=row["id"], act=act)
    if found is None or (found["person_id"], found["given_at"]) != (row[who], row[when]):
        return None
    person = str(rows.get("accounts_person", row[who])["public_id"])
    said = said_by(rows, found, EXCEPTION, keys, person=person, at=row[when])
    return said if said is not None and said["act"] == act and not said["by"].get("on_behalf_of") else None


def does_exception_count(rows: Dump, row: Row, leg: Row, facts: Row, keys: Keys, now: datetime) -> bool:
    """Two people, this version, this leg, these minutes; both may still say so; nothing is owed since before it."""
    said, service = exception_said(rows, row, leg, keys), facts["service"]
    if said is None or row["withdrawn_at"] or row["refused_at"] or not row["agreed_at"] <= now < row["ends_at"]:
        return False
    first, second = human(rows, row["asked_by_id"], service), human(rows, row["agreed_by_id"], service)
    may_ask = first.roles & {"REQUESTER", "OPERATOR", "RELEASE_MANAGER"} and first.was_here_since(row["asked_at"])
    may_agree = ("RELEASE_MANAGER" in second.roles or second.owns) and second.was_here_since(row["agreed_at"])
    digests = facts["digests"]
    same = all(said["covers"].get(part) == digests[part] for part in ("scope", "rollback")) and said["settings"] == facts["settings"]
    version = facts["identities"] and set(said["identities"]) == set(facts["identities"])
    owed = any(
        one["id"] != row["id"]
        and one["agreed_at"]
        and not one["reviewed_at"]
        and one["review_due_at"] <= min(now, row["agreed_at"])
        and exception_said(rows, one, rows.get("changes_leg", one["leg_id"]), keys) is not None
        for one in rows.all("approvals_legexception", team_id=row["team_id"])
    )
    fits = row["kind"] != "EMERGENCY" or facts["change"]["kind"] == "EMERGENCY"
    return bool(may_ask and may_agree and first.stays != second.stays and same and version and not owed and fits)


def is_approved_beforehand(rows: Dump, facts: Row, keys: Keys) -> bool:
    """Whether the model that a STANDARD change began from speaks for everybody who would have to sign."""
    found = model_of(rows, facts["change"])
    if found is None:
        return False
    version, model = found
    body = json.loads(bytes(version["body"]))
    if "pre_approval" not in body or model["retired_at"] or model["version_id"] != version["id"] or not facts["intact"]:
        return False
    people = {
        name: str(rows.get("accounts_person", version[f"{name}_id"])["public_id"])
        for name in ("author", "agreed_by")
        if version[f"{name}_id"]
    }
    agreed = {"schema": 1, "type": "changecontrol/pre-approval/v1", "installation": rows.installation, "model": str(model["public_id"]),
              "number": version["number"], "digest": sha(version["body"]), "at": seconds(version["made_at"]), **people}  # fmt: skip
    if bytes(version["statement"]) != compact(agreed) or not is_signed(version, MODEL, keys):
        return False
    return _is_covered(rows, body["pre_approval"], facts) and _is_as_modelled(body, facts)


def _is_covered(rows: Dump, coverage: Row, facts: Row) -> bool:
    team = str(rows.get("accounts_team", facts["service"]["team_id"])["public_id"])
    named = {name: {one["id"] for one in coverage[name]} for name in ("services", "teams", "environments")}
    there = str(facts["service"]["public_id"]) in named["services"] or team in named["teams"]
    return there and str(facts["environment"]["public_id"]) in named["environments"]


def _is_as_modelled(body: Row, facts: Row) -> bool:
    says, fixed = body["parts"], set(body["pre_approval"]["fixed"])
    scope, plan, rollback = facts["scope"], facts["plan"], dict(facts["rollback"])
    wanted = dict(says["rollback"])
    if "seconds_to_restore" not in wanted:
        rollback.pop("seconds_to_restore", None)
    if plan["steps"] != says["plan"]["steps"] or rollback != wanted or body["evidence"]:
        return False
    if "aspects" in fixed and not set(scope["aspects"]) <= set(says["scope"]["aspects"]):
        return False
    return all(scope[name] == says["scope"][name] for name in ("reason", "impact") if name in fixed)
