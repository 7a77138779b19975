"""The two machines of the story: a developer's script and a pipeline, each with its token."""

from dataclasses import dataclass
from typing import Any

import httpx2

from changecontrol.demo.telling import NotSo


@dataclass
class Machine:
    """Something that speaks to the API with a token."""

    base: str
    token: str

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, expect: int = 0) -> dict[str, Any]:
        """Send one request; raises NotSo when the status is not the expected one (200 or 201 unless said)."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx2.request(method, f"{self.base}/api/v1{path}", json=body, headers=headers, timeout=30)
        if answer.status_code not in ({expect} if expect else {200, 201}):
            wanted = expect or "2xx"
            raise NotSo(f"{method} {path} answered {answer.status_code}, not {wanted}: {answer.text[:600]}")
        found = answer.json()
        if not isinstance(found, dict):
            raise NotSo(f"{method} {path} answered no object: {answer.text[:200]}")
        return found


def question(environment: str, commit: str) -> dict[str, Any]:
    """What a pipeline asks before it deploys the board."""
    run = {"system": "example-ci", "id": "8830"}
    return {"service": "departures", "environment": environment, "action": "deploy", "identities": {"git": commit}, "run": run}
