"""What the second judge knows of reports: written from the documentation, over the rows alone."""

import json
from typing import Any

from tests.gate.second_judge_rows import Dump, Row


def is_shown_to_be_well(rows: Dump, change: int, identities: set[str]) -> bool:
    """Whether some test report for this version says that tests passed, and the newest of no name says that any went wrong."""
    newest: dict[str, tuple[str, Row]] = {}
    for one in sorted(rows.all("changes_evidenceupload", change_id=change), key=lambda row: row["id"]):
        file = rows.get("changes_evidencefile", one["file_id"])
        if file["kind"] in {"JUNIT", "SARIF"} and set(one["identities"]) & identities:
            newest[one["name"]] = (file["kind"], read(file["counted"]))
    wrong = [counted.get("failures", 0) + counted.get("errors", 0) + counted.get("error", 0) for _, counted in newest.values()]
    passed = [counted["tests"] - counted["skipped"] for kind, counted in newest.values() if kind == "JUNIT"]
    return not any(wrong) and any(passed)


def read(counted: Any) -> Row:
    return json.loads(counted) if isinstance(counted, str) else counted
