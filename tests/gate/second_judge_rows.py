"""The second judge's ground: every row as it lies in the tables, and the people and groups in them. No code of the product."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = dict[str, Any]
PARTS = ("scope", "plan", "rollback", "period", "story")
TABLES = (
    "audit_installation",
    *(f"accounts_{name}" for name in ("person", "identity", "passkey", "rolegrant", "membership", "team", "personaltoken")),
    *(
        f"catalog_{name}"
        for name in ("service", "servicealias", "environment", "environmentalias", "target", "targetsettings", "ownership", "servicerole")
    ),
    "catalog_arrival",
    *(f"changes_{name}" for name in ("change", "revision", "item", "leg", "legidentity", "move", "versionreading")),
    *(f"changes_{name}" for name in ("changemodel", "changemodelversion", "evidencefile", "evidenceupload")),
    *(f"schedule_{name}" for name in ("calendarrule", "hold", "slot", "reservation")),
    *(f"approvals_{name}" for name in ("policy", "policyversion", "signoff", "delegation", "legexception", "exceptionsignature")),
    "approvals_implementer",
    *(f"gate_{name}" for name in ("gatetoken", "issuer", "trust", "rulemode")),
)


class NotJudged(Exception):
    """A fact that the second judge does not know; nothing generated has one."""


@dataclass(frozen=True)
class Asked:
    """A question, as plain data. `token` is the secret's hash; None: the installation asks itself."""

    service: str
    environment: str
    identities: frozenset[str]
    action: str = "DEPLOY"
    token: bytes | None = None
    job: str = ""  # the token of a CI job, as its issuer signed it
    deployment: str = ""
    leg: int | None = None


class Dump:
    """All rows of the tables above, found by walking them."""

    def __init__(self, cursor: Any) -> None:
        self.tables: dict[str, list[Row]] = {}
        for table in TABLES:
            cursor.execute(f"select * from {table}")
            names = [column[0] for column in cursor.description]
            self.tables[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def all(self, table: str, **wanted: Any) -> list[Row]:
        return [row for row in self.tables[table] if all(row[name] == value for name, value in wanted.items())]

    def one(self, table: str, **wanted: Any) -> Row | None:
        return next(iter(self.all(table, **wanted)), None)

    def get(self, table: str, key: int) -> Row:
        (row,) = self.all(table, id=key)
        return row

    @property
    def installation(self) -> str:
        return str(self.tables["audit_installation"][0]["public_id"])


def sha(data: bytes) -> str:
    return hashlib.sha256(bytes(data)).hexdigest()


@dataclass(frozen=True)
class Human:
    """Somebody as they stand now for one service: merged people are the one they became."""

    id: str
    stays: str  # the public id they stand as
    active: bool
    back_at: datetime | None  # when they were last made active again
    roles: frozenset[str]
    teams: frozenset[str]
    owns: frozenset[str]
    ids: frozenset[str]  # of the one they stand as, and of everybody merged into that one

    def was_here_since(self, moment: datetime) -> bool:
        return self.active and (self.back_at is None or moment > self.back_at)


def human(rows: Dump, key: int, service: Row) -> Human:
    person = rows.get("accounts_person", key)
    stays = rows.get("accounts_person", person["merged_into_id"]) if person["merged_into_id"] else person
    merged = rows.all("accounts_person", merged_into_id=stays["id"])
    is_here = stays["is_active"] and stays["merged_into_id"] is None
    grants = [
        one
        for one in rows.all("accounts_rolegrant", person_id=stays["id"], revoked_at=None)
        if one["team_id"] in {None, service["team_id"]}
    ]
    teams = [one["team_id"] for one in rows.all("accounts_membership", person_id=stays["id"], ended_at=None)]
    owners = {stays["id"], *(one["id"] for one in merged)}
    own = [one for one in rows.all("catalog_servicerole", service_id=service["id"], ended_at=None) if one["person_id"] in owners]
    return Human(
        id=str(person["public_id"]),
        stays=str(stays["public_id"]),
        active=person["is_active"] and person["merged_into_id"] is None,
        back_at=person["inactive_until"],
        roles=frozenset(one["role"] for one in [*grants, *own] if is_here),
        teams=frozenset(str(rows.get("accounts_team", team)["public_id"]) for team in teams),
        owns=frozenset(
            one["kind"] for one in rows.all("catalog_ownership", service_id=service["id"], ended_at=None) if one["person_id"] in owners
        ),
        ids=frozenset({str(stays["public_id"]), *(str(one["public_id"]) for one in merged)}),
    )


def stays_as(rows: Dump, key: int) -> str:
    person = rows.get("accounts_person", key)
    return str(rows.get("accounts_person", person["merged_into_id"])["public_id"] if person["merged_into_id"] else person["public_id"])


def is_member(person: Human, group: Row) -> bool:
    match group["kind"]:
        case "OWNER":
            return bool(person.owns) if group["owner"] == "ANY" else group["owner"] in person.owns
        case "ROLE":
            return group["role"] in person.roles
        case "TEAM":
            return group["team"] in person.teams
        case "PERSONS":
            return bool(person.ids & set(group["persons"]))
    raise NotJudged(group["kind"])


def group_as_stated(group: Row, service: Row) -> str:
    match group["kind"]:
        case "OWNER":
            return f"owner:{group['owner']}:{service['public_id']}"
        case "ROLE":
            return f"role:{group['role']}:{service['public_id']}"
        case "TEAM":
            return f"team:{group['team']}"
        case "PERSONS":
            return "persons:" + sha("\n".join(sorted(group["persons"])).encode())
    raise NotJudged(group["kind"])
