"""Who made what a change brings, for the second judge: found by walking readings, identities, moves and arrivals."""

import json
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from tests.gate.second_judge_rows import Dump, NotJudged, Row, stays_as

OVER = {"POST_REVIEW", "CLOSED", "REJECTED", "WITHDRAWN", "EXPIRED"}
CAME = {"SUCCEEDED", "ADOPTED", "ROLLED_BACK", "LEFT"}  # after such an arrival its version is what runs


@dataclass(frozen=True)
class Makers:
    """Persons by what they did, as the ids they stand as; and whether there may be somebody that nobody knows."""

    authors: frozenset[str]
    committers: frozenset[str]
    may_be_more: bool


def makers(rows: Dump, change: Row, now: datetime) -> Makers:
    """Of every way that the change takes: from what each of its legs replaces to the commit that it brings."""
    items = rows.all("changes_item", change_id=change["id"], is_current=True)
    if any(one.startswith("config:") for item in items for one in item["identities"]):
        raise NotJudged("a version that is a document")
    ways = [reading for leg in rows.all("changes_leg", change_id=change["id"], is_current=True) for reading in way(rows, change, leg, now)]
    commits = [commit for reading in ways if reading is not None for commit in reading["commits"]]
    wrote = {mailbox(hand) for commit in commits for hand in commit["authors"]}
    put_in = {mailbox(commit["committer"]) for commit in commits}
    known = {mail: person for mail in wrote | put_in if (person := person_of(rows, mail)) is not None}
    all_read = all(reading is not None and reading["is_known"] and not reading["has_more_commits"] for reading in ways)
    named = all(commit_of(item["identities"]) for item in items)
    return Makers(
        authors=frozenset(known[mail] for mail in wrote & set(known)),
        committers=frozenset(known[mail] for mail in put_in & set(known)),
        may_be_more=not all_read or not named or bool((wrote | put_in) - set(known)),
    )


def way(rows: Dump, change: Row, leg: Row, now: datetime) -> list[Row | None]:
    """What was read of a leg's way, None where nothing was; an empty list where the leg brings no commit."""
    item = rows.get("changes_item", leg["item_id"])
    commit = commit_of(item["identities"])
    if not commit:
        return []
    replaced = runs_before(rows, change, leg, item, now)
    base = commit_of(replaced) or ("unnamed" if replaced else "")
    repository = rows.get("catalog_service", leg["service_id"])["repository_id"]
    found = rows.one("changes_versionreading", service_id=leg["service_id"], repository_id=repository, base=base, commit=commit)
    return [json.loads(found["body"]) if found else None]


def runs_before(rows: Dump, change: Row, leg: Row, item: Row, now: datetime) -> list[str]:
    """What a leg replaces: what runs there, as long as the leg is still to come; else what ran when it began."""
    running: list[str] = rows.get("catalog_target", leg["target_id"])["running_identities"]
    if leg["state"] in {"WAITING", "FAILED"} and change["state"] not in OVER:
        return running
    began = sorted((one["seq"], one["at"]) for one in rows.all("changes_move", leg_id=leg["id"], goal="STARTED"))
    ended = sorted((one["seq"], one["at"]) for one in rows.all("changes_move", change_id=change["id"], leg_id=None) if one["goal"] in OVER)
    first = began[0][1] if began else now
    last = began[-1][1] if began else ended[0][1] if ended else now
    came = [one for one in rows.all("catalog_arrival", target_id=leg["target_id"]) if one["outcome"] in CAME]
    own = [one for one in came if one["identities"] == item["identities"] and one["at"] >= first]
    if not own and not any(one["at"] >= last for one in came):
        return running
    earlier = [one for one in came if one not in own and one["at"] < last]
    return max(earlier, key=lambda one: (one["at"], one["id"]))["identities"] if earlier else []


def commit_of(identities: list[str]) -> str:
    return next((one.removeprefix("git:") for one in identities if one.startswith("git:")), "")


def mailbox(hand: list[str]) -> str:
    """A name and an address: the address as people are known by it, whatever its letters look like."""
    folded = unicodedata.normalize("NFKC", hand[1]).strip().casefold()
    return unicodedata.normalize("NFKC", folded)


def person_of(rows: Dump, mail: str) -> str | None:
    """Who is known by a mailbox that was verified."""
    for one in rows.all("accounts_identity", value=mail):
        if one["kind"] in {"EMAIL", "GIT_AUTHOR"} and one["verified_at"] is not None:
            return stays_as(rows, one["person_id"])
    return None
