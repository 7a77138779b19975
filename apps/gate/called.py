"""The parts of the gather that are functions in PostgreSQL.

PostgreSQL starts every part of a statement, also those that never run, and starting the parts of a leg costs twice as much
as all the others together. A function's parts are started when it is called, so only a question that meets a leg pays.

A function is named by the digest of all texts: whoever edits one edits new functions. `migrate` makes them beside the old
ones (`functions.py`), so that web processes of the old and of the new release answer at the same time."""

import hashlib
from dataclasses import dataclass

from apps.gate.legs import ASSERTION, CALLED, CLOSED_LEGS, EVIDENCE, EXCEPTIONS, MODEL, MOVING_LEGS, PLACE, open_legs


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its name without the version, the types it takes, and the statements of its body in PL/pgSQL."""

    name: str
    takes: str
    body: str

    @property
    def signature(self) -> str:
        """As PostgreSQL names it."""
        return f"{self.name}_{VERSION}({self.takes})"

    @property
    def created(self) -> str:
        """The statement that makes it. STABLE: it reads at the moment of the statement that calls it."""
        body = self.body
        for call, name in CALLED.items():
            body = body.replace(call, f"{name}_{VERSION}")
        return (
            f"create function public.{self.signature} returns json language plpgsql stable set search_path = public, pg_temp\n"
            f"as $gate$ begin\n{body}\nend $gate$"
        )


# What a function is asked is its row `q`, so that a part reads the same here and in the gather.
NAMED_ASKED = "(select $1 as service_id, $2 as environment_id, $3 as team_id, $4 as identities, $5 as leg_id, $7 as at) q"
NAMED_TAKES = "bigint, bigint, bigint, text[], bigint, boolean, timestamptz"


def _found(legs: str) -> str:
    return f"told := (select {legs} from {NAMED_ASKED});"


def _answered(finding: str) -> str:
    """Open legs; where there are none, closed ones, which explain a no."""
    return f"""declare told json; begin
{finding}
if told is not null then return json_build_object('open', told, 'closed', null); end if;
return json_build_object('open', null, 'closed', (select {CLOSED_LEGS} from {NAMED_ASKED}));
end;"""


FUNCTIONS = (
    Function(
        "gate_place",
        "bigint, text, bigint, bigint",
        f"return (select ({PLACE}) from (select $1 as delegation_id, $2 as kind, $3 as service_id, $4 as team_id) q);",
    ),
    Function(
        "gate_exceptions",
        "bigint, bigint, bigint, timestamptz",
        f"return (select ({EXCEPTIONS}) from (select $1 as leg_id, $2 as service_id, $3 as team_id, $4 as at) q);",
    ),
    Function(
        "gate_model",
        "bigint, bigint, bytea",
        f"return (select ({MODEL}) from (select $1 as version_id, $2 as team_id, $3 as plan) q);",
    ),
    Function(
        "gate_evidence",
        "bigint, text[]",
        f"return (select {EVIDENCE} from (select $1 as id, $2 as identities) q, lateral (select q.id) h);",
    ),
    Function("gate_passkey", "bigint", f"return (select {ASSERTION} from approvals_signoff o where o.id = $1);"),
    Function(
        "gate_named",
        NAMED_TAKES,
        _answered(f"if $6 then {_found(open_legs(everyone=True))} else {_found(open_legs(everyone=False))} end if;"),
    ),
    Function("gate_moving", NAMED_TAKES, _answered(_found(MOVING_LEGS))),
)
VERSION = hashlib.sha256("\n".join(f"{one.name} {one.takes} {one.body}" for one in FUNCTIONS).encode()).hexdigest()[:12]


def named(function: str, *, everyone: bool) -> str:
    """The gather's part about legs that name the version: the function, called only where one does."""
    return f"""case when exists (select from changes_legidentity l where l.service_id = q.service_id
       and l.environment_id = q.environment_id and l.identity = any(q.identities))
     then public.{function}_{VERSION}(q.service_id, q.environment_id, q.team_id, q.identities, q.leg_id, {everyone}, q.at) end"""
