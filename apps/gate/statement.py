"""The gate's statement: every fact of one question in one trip. What exists, now, bounded; nothing is decided in SQL.

Each part is a scalar subquery with an index and a LIMIT: planned alone, so the cost is the number of probes and does not
grow with the tables. Whatever is asked, exactly one row comes back. Where the place is known, only what moves is read."""

from collections.abc import Mapping
from functools import cache

from apps.gate.called import named
from apps.gate.legs import PERSON
from apps.gate.wire import Statement

CALENDAR, FEW, ARRIVALS = 20, 5, 100

PERSONAL = f"""case when q.personal_id is not null then json_build_object(
     'expires_at', q.personal_expires_at, 'revoked_at', q.personal_revoked_at,
     'is_member', exists (select 1 from accounts_membership x
                          where x.person_id = q.person_id and x.team_id = q.team_id and x.ended_at is null),
     'person', (select {PERSON} from accounts_person p where p.id = q.person_id)) end"""

# What was answered before under this Idempotency-Key, and the tickets of it that still hold.
ASKED_BEFORE = f"""(select json_build_object(
       'id', y.evaluation_id, 'at', y.at, 'body_hash', encode(y.body_hash, 'hex'),
       'last', (select json_build_object('verdict', v.verdict, 'codes', v.codes, 'final', v.is_final, 'record', encode(v.record, 'base64'))
                from gate_verdict v where v.evaluation_id = y.evaluation_id and v.at >= y.at order by v.at desc limit 1),
       'tickets', (select json_agg(json_build_object('id', x.public_id, 'action', x.action, 'binds', x.binds, 'expires_at', x.expires_at,
                                                     'payload', encode(x.payload, 'base64'), 'key_id', x.key_id,
                                                     'signature', encode(x.signature, 'base64')))
                   from (select * from gate_ticket t where t.evaluation_id = y.evaluation_id and t.expires_at > q.at
                           and not exists (select 1 from gate_spentticket z where z.ticket_id = t.id)
                         order by t.issued_at desc limit {FEW}) x))
     from gate_evaluationkey y where y.token_id = q.token_id and y.key = $7)"""

# One row, also for an unknown token, service or target.
ASKED = """with q as materialized (
  select coalesce($5::timestamptz, clock_timestamp()) as at, $4::text[] as identities, $6::bigint as leg_id,
    {token_columns}
    s.id as service_id, s.public_id as service_public_id, s.slug as service_slug, s.name as service_name, s.team_id, s.is_restricted,
    s.retired_at as service_retired_at,
    e.id as environment_id, e.public_id as environment_public_id, e.slug as environment_slug, e.name as environment_name, e.rank,
    e.change_required, e.offline_grace_minutes, e.time_zone, e.retired_at as environment_retired_at,
    {target_columns} g.public_id as target_public_id,
    encode(sha256(c.body), 'hex') as settings_digest, convert_from(c.body, 'UTF8')::json as settings,
    array[0, 1000000000 + e.id, 2000000000 + s.tier, 3000000000 + s.team_id, 4000000000 + s.id, 5000000000 + g.id]::bigint[] as scopes,
    (select array_agg(x.target_id) from (
       select t.id as target_id, y.rank, max(y.rank) over () as nearest
       from catalog_target t join catalog_environment y on y.id = t.environment_id
       where t.service_id = s.id and t.retired_at is null and y.retired_at is null and y.rank < e.rank) x where x.rank = x.nearest) as rungs
  from (values (1)) as one(x)
  left join gate_gatetoken k on k.hash = $1
  {joins}
  left join catalog_service s on s.id = coalesce((select x.id from catalog_service x where x.slug = $2),
                                                 (select x.service_id from catalog_servicealias x where x.slug = $2))
  left join catalog_environment e on e.id = coalesce((select x.id from catalog_environment x where x.slug = $3),
                                                     (select x.environment_id from catalog_environmentalias x where x.slug = $3))
  left join catalog_target g on g.service_id = s.id and g.environment_id = e.id
  left join catalog_targetsettings c on c.id = g.settings_id)"""
# The same where the place is known: what seldom moves is not read again, but whether it has moved is.
ASKED_ON_GROUND = """with q as materialized (
  select coalesce($9::timestamptz, clock_timestamp()) as at, $6::text[] as identities, $10::bigint as leg_id,
    {token_columns}
    $2::bigint as service_id, $3::bigint as environment_id, $4::bigint as team_id, $8::bigint[] as rungs,
    {target_columns} null
  from (values (1)) as one(x)
  left join gate_gatetoken k on k.hash = $1
  left join catalog_target g on g.id = $5)"""
TOKEN_COLUMNS = """k.id as token_id, k.public_id as token_public_id, k.name as token_name, k.actions, k.service_ids, k.environment_ids,
    k.detail, k.expires_at as token_expires_at, k.revoked_at as token_revoked_at, k.used_at,"""  # noqa: S105 - columns, no secret
TARGET_COLUMNS = """g.id as target_id, g.settings_id, g.running_identities, g.running_label, g.previous_identities, g.previous_label,
    g.occupied_by, g.occupied_since, g.locked_at, g.lock_reason, g.retired_at as target_retired_at,"""
PERSONAL_COLUMNS = "a.id as personal_id, a.expires_at as personal_expires_at, a.revoked_at as personal_revoked_at, a.person_id,"
PERSONAL_JOIN = "left join accounts_personaltoken a on a.hash = $1"

# What moves with every change and every deployment: read for every question. What an open leg needs stands in `legs.py`.
MOVING = {
    "at": "q.at",
    "stamp": "(select case when count(*) = 8 then bit_xor(x.stamp) end from gate_ground x)",
    "token": """case when q.token_id is not null then json_build_object(
     'pk', q.token_id, 'id', q.token_public_id, 'name', q.token_name, 'actions', q.actions, 'services', q.service_ids,
     'environments', q.environment_ids, 'detail', q.detail, 'expires_at', q.token_expires_at, 'revoked_at', q.token_revoked_at, 'used_at', q.used_at) end""",
    "target": """case when q.target_id is not null then json_build_object(
     'settings_id', q.settings_id, 'running', q.running_identities, 'running_label', q.running_label,
     'previous', q.previous_identities, 'previous_label', q.previous_label,
     'occupied_by', q.occupied_by, 'occupied_since', q.occupied_since, 'locked_at', q.locked_at, 'lock_reason', q.lock_reason,
     'retired_at', q.target_retired_at) end""",
    "reservations": f"""(select json_agg(json_build_object('held_for', x.held_for, 'until', x.reserved_until))
    from (select * from schedule_reservation k where k.service_id = q.service_id and k.target_id = q.target_id
            and k.released_at is null and k.reserved_until > q.at order by k.reserved_until desc limit {FEW}) x)""",
}
# What was seen in the environments below of the versions that are asked about, the newest first, a bounded number on each.
ARRIVED = f"""(with same as materialized (
       select x.id, x.at, x.target_id, x.outcome, x.identities from catalog_arrival x where x.identities && q.identities::varchar[])
     select json_agg(json_build_array(y.target_id, y.outcome, y.identities) order by y.at desc, y.id desc)
     from unnest(q.rungs) as r(target_id) cross join lateral (
       select * from same where same.target_id = r.target_id order by same.at desc, same.id desc limit {ARRIVALS}) y)"""
# What seldom moves, and is kept (`ground.py`): each table that is read here gives the database a new stamp when it is written.
GROUND = {
    "installation": "(select public_id from audit_installation limit 1)",
    "key_listed": "exists (select 1 from audit_publickey where key_id = $8)",
    "service": """case when q.service_id is not null then json_build_object(
     'pk', q.service_id, 'id', q.service_public_id, 'slug', q.service_slug, 'name', q.service_name, 'restricted', q.is_restricted,
     'team', q.team_id, 'retired_at', q.service_retired_at) end""",
    "environment": """case when q.environment_id is not null then json_build_object(
     'pk', q.environment_id, 'id', q.environment_public_id, 'slug', q.environment_slug, 'name', q.environment_name, 'rank', q.rank,
     'required', q.change_required, 'offline', q.offline_grace_minutes, 'zone', q.time_zone, 'retired_at', q.environment_retired_at) end""",
    "place": """case when q.target_id is not null then json_build_object('pk', q.target_id, 'id', q.target_public_id,
     'settings_id', q.settings_id, 'settings', q.settings_digest, 'deploy_seconds', q.settings -> 'deploy_seconds',
     'bake_seconds', q.settings -> 'bake_seconds') end""",
    "modes": "(select json_object_agg(x.rule, x.mode) from gate_rulemode x where x.environment_id = q.environment_id)",
    "calendar": f"""(select json_agg(json_build_object('kind', x.kind, 'title', x.title, 'zone', x.time_zone, 'covers', x.covers_now,
                                                 'starts_at', x.starts_at, 'ends_at', x.ends_at, 'expanded_until', x.expanded_until))
    from (select k.kind, k.title, k.time_zone, k.covers @> q.at as covers_now, k.expanded_until,
                 nullif(o.starts_at, '-infinity') as starts_at, nullif(o.ends_at, 'infinity') as ends_at
          from schedule_calendarrule k
          left join lateral (select lower(x) as starts_at, upper(x) as ends_at from unnest(k.covers) x
                             where upper_inf(x) or upper(x) > q.at limit 1) o on true
          where k.scope = any(q.scopes) and k.live_until > q.at and k.lifted_at is null
            and (k.covers @> q.at or k.kind = 'WINDOW' or k.expanded_until <= q.at)
          order by k.kind, o.starts_at nulls first limit {CALENDAR}) x)""",
    "calendar_until": """(select min(b.moment) from schedule_calendarrule k cross join lateral (
         select k.live_until as moment union all select k.expanded_until
         union all select lower(x) from unnest(k.covers) x union all select upper(x) from unnest(k.covers) x) b
       where k.scope = any(q.scopes) and k.live_until > q.at and k.lifted_at is null and b.moment > q.at and b.moment < 'infinity')""",
    "holds": f"""(select json_agg(json_build_object('source', x.source, 'reason', x.reason, 'placed_at', x.placed_at))
            from (select * from schedule_hold k where k.scope = any(q.scopes) and k.lifted_at is null order by k.id limit {FEW}) x)""",
    "rungs": """(select json_agg(json_build_object('environment', y.name, 'target', t.id) order by y.name)
       from catalog_target t join catalog_environment y on y.id = t.environment_id where t.id = any(q.rungs))""",
}


TYPES = ("bytea", "text", "text", "text[]", "timestamptz", "bigint", "text", "text")
TYPES_ON_GROUND = ("bytea", "bigint", "bigint", "bigint", "bigint", "text[]", "text", "bigint[]", "timestamptz", "bigint")


@cache
def gather_statement(*, personal: bool = False, keyed: bool = False, everyone: bool = False) -> Statement:
    """The statement with only the parts this question needs: starting a part costs as much as running it.

    `personal`: a person's token asks. `keyed`: with an Idempotency-Key. `everyone`: a policy asks all members of a group."""
    asked = ASKED.format(
        token_columns=TOKEN_COLUMNS + (PERSONAL_COLUMNS if personal else ""),
        target_columns=TARGET_COLUMNS,
        joins=PERSONAL_JOIN if personal else "",
    )
    facts = {
        **GROUND,
        **_moving(named("gate_named", everyone=everyone), keyed=keyed),
        "arrived": ARRIVED,
        "personal": PERSONAL if personal else "null",
    }
    return Statement(_named("gate_gather", personal=personal, keyed=keyed, everyone=everyone), _text(asked, facts), TYPES)


@cache
def moving_statement(*, keyed: bool = False, has_rungs: bool = False) -> Statement:
    """The statement for a place whose ground is kept. `has_rungs`: there are environments below, where a version is seen first."""
    asked = ASKED_ON_GROUND.format(token_columns=TOKEN_COLUMNS, target_columns=TARGET_COLUMNS)
    facts = {**_moving(named("gate_moving", everyone=False), keyed=keyed), "arrived": ARRIVED if has_rungs else "null", "personal": "null"}
    return Statement(_named("gate_gather_moving", keyed=keyed, rungs=has_rungs), _text(asked, facts), TYPES_ON_GROUND)


def _moving(legs: str, *, keyed: bool) -> dict[str, str]:
    return {**MOVING, "named": legs, "asked_before": ASKED_BEFORE if keyed else "null"}


def _named(name: str, **parts: bool) -> str:
    return "_".join([name, *(part for part, is_in in parts.items() if is_in)])


def _text(asked: str, facts: Mapping[str, str]) -> str:
    told = ",\n  ".join(f"'{name}', {part}" for name, part in facts.items())
    return f"{asked}\nselect json_build_object(\n  {told}\n) from q"
