"""The gate's statement: every fact of one question in one trip. What exists, now, bounded; nothing is decided in SQL.

Each part is a scalar subquery with an index and a LIMIT: planned alone, so the cost is the number of probes and does not
grow with the tables. Whatever is asked, exactly one row comes back. What is read of an open leg stands in `legs.py`."""

from functools import cache

from apps.gate.legs import PERSON, legs, legs_named
from apps.gate.wire import Statement

CLOSED, CALENDAR, FEW, ARRIVALS = 4, 20, 5, 20

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
    k.id as token_id, k.public_id as token_public_id, k.name as token_name, k.actions, k.service_ids, k.environment_ids, k.detail,
    k.expires_at as token_expires_at, k.revoked_at as token_revoked_at, k.used_at,
    {columns}
    s.id as service_id, s.public_id as service_public_id, s.slug as service_slug, s.name as service_name, s.team_id, s.is_restricted,
    s.retired_at as service_retired_at,
    e.id as environment_id, e.public_id as environment_public_id, e.slug as environment_slug, e.name as environment_name, e.rank,
    e.change_required, e.offline_grace_minutes, e.time_zone, e.retired_at as environment_retired_at,
    g.id as target_id, g.public_id as target_public_id, g.running_identities, g.running_label, g.previous_identities, g.previous_label,
    g.occupied_by, g.occupied_since, g.locked_at, g.lock_reason, g.retired_at as target_retired_at,
    encode(sha256(c.body), 'hex') as settings_digest, convert_from(c.body, 'UTF8')::json as settings,
    array[0, 1000000000 + e.id, 2000000000 + s.tier, 3000000000 + s.team_id, 4000000000 + s.id, 5000000000 + g.id]::bigint[] as scopes
  from (values (1)) as one(x)
  left join gate_gatetoken k on k.hash = $1
  {joins}
  left join catalog_service s on s.id = coalesce((select x.id from catalog_service x where x.slug = $2),
                                                 (select x.service_id from catalog_servicealias x where x.slug = $2))
  left join catalog_environment e on e.id = coalesce((select x.id from catalog_environment x where x.slug = $3),
                                                     (select x.environment_id from catalog_environmentalias x where x.slug = $3))
  left join catalog_target g on g.service_id = s.id and g.environment_id = e.id
  left join catalog_targetsettings c on c.id = g.settings_id)"""
PERSONAL_COLUMNS = "a.id as personal_id, a.expires_at as personal_expires_at, a.revoked_at as personal_revoked_at, a.person_id,"
PERSONAL_JOIN = "left join accounts_personaltoken a on a.hash = $1"
FACTS = {
    "at": "q.at",
    "installation": "(select public_id from audit_installation limit 1)",
    "key_listed": "exists (select 1 from audit_publickey where key_id = $8)",
    "token": """case when q.token_id is not null then json_build_object(
     'pk', q.token_id, 'id', q.token_public_id, 'name', q.token_name, 'actions', q.actions, 'services', q.service_ids,
     'environments', q.environment_ids, 'detail', q.detail, 'expires_at', q.token_expires_at, 'revoked_at', q.token_revoked_at, 'used_at', q.used_at) end""",
    "service": """case when q.service_id is not null then json_build_object(
     'pk', q.service_id, 'id', q.service_public_id, 'slug', q.service_slug, 'name', q.service_name, 'restricted', q.is_restricted,
     'retired_at', q.service_retired_at) end""",
    "environment": """case when q.environment_id is not null then json_build_object(
     'pk', q.environment_id, 'id', q.environment_public_id, 'slug', q.environment_slug, 'name', q.environment_name, 'rank', q.rank,
     'required', q.change_required, 'offline', q.offline_grace_minutes, 'zone', q.time_zone, 'retired_at', q.environment_retired_at) end""",
    "target": """case when q.target_id is not null then json_build_object(
     'pk', q.target_id, 'id', q.target_public_id, 'running', q.running_identities, 'running_label', q.running_label,
     'previous', q.previous_identities, 'previous_label', q.previous_label,
     'occupied_by', q.occupied_by, 'occupied_since', q.occupied_since, 'locked_at', q.locked_at, 'lock_reason', q.lock_reason,
     'settings', q.settings_digest, 'deploy_seconds', q.settings -> 'deploy_seconds', 'bake_seconds', q.settings -> 'bake_seconds',
     'retired_at', q.target_retired_at) end""",
    "modes": "(select json_object_agg(x.rule, x.mode) from gate_rulemode x where x.environment_id = q.environment_id)",
    "closed": f"""(select json_agg(json_build_object('ref', 'CHG-' || h.id, 'change_state', h.state, 'state', g.state,
                                               'identities', m.identities) order by g.id desc)
             from ({legs_named("not l.is_open", "desc", CLOSED)}) f
             join changes_leg g on g.id = f.leg_id join changes_item m on m.id = g.item_id join changes_change h on h.id = g.change_id)""",
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
    "holds": f"""(select json_agg(json_build_object('source', x.source, 'reason', x.reason, 'placed_at', x.placed_at))
            from (select * from schedule_hold k where k.scope = any(q.scopes) and k.lifted_at is null order by k.id limit {FEW}) x)""",
    "reservations": f"""(select json_agg(json_build_object('held_for', x.held_for, 'until', x.reserved_until))
    from (select * from schedule_reservation k where k.service_id = q.service_id and k.target_id = q.target_id
            and k.released_at is null and k.reserved_until > q.at order by k.reserved_until desc limit {FEW}) x)""",
    "rungs": f"""(select json_agg(json_build_object('environment', x.name, 'arrivals', (
       with same as materialized (
         select y.id, y.target_id, y.outcome, y.identities, y.at from catalog_arrival y where y.identities && $4::varchar[])
       select json_agg(z.identities) from (select y.identities from same y
         where y.target_id = x.target_id and y.outcome in ('SUCCEEDED', 'ADOPTED')
           and not exists (select from same b where b.target_id = y.target_id and b.outcome in ('FAILED', 'LEFT')
                           and b.identities = y.identities and (b.at, b.id) > (y.at, y.id))
         order by y.at desc limit {ARRIVALS}) z)) order by x.name)
    from (select t.id as target_id, y.name, y.rank, max(y.rank) over () as nearest
          from catalog_target t join catalog_environment y on y.id = t.environment_id
          where t.service_id = q.service_id and t.retired_at is null and y.retired_at is null and y.rank < q.rank) x
    where x.rank = x.nearest)""",
}


TYPES = ("bytea", "text", "text", "text[]", "timestamptz", "bigint", "text", "text")


@cache
def gather_statement(*, personal: bool = False, keyed: bool = False, everyone: bool = False) -> Statement:
    """The statement with only the parts this question needs: starting a part costs as much as running it.

    `personal`: a person's token asks. `keyed`: with an Idempotency-Key. `everyone`: a policy asks all members of a group."""
    name = "gate_gather" + "".join(
        f"_{part}" for part, is_in in (("personal", personal), ("keyed", keyed), ("everyone", everyone)) if is_in
    )
    return Statement(name, _text(personal=personal, keyed=keyed, everyone=everyone), TYPES)


def _text(*, personal: bool, keyed: bool, everyone: bool) -> str:
    asked = ASKED.replace("{columns}", PERSONAL_COLUMNS if personal else "").replace("{joins}", PERSONAL_JOIN if personal else "")
    facts = FACTS | {
        "legs": legs(everyone=everyone),
        "personal": PERSONAL if personal else "null",
        "asked_before": ASKED_BEFORE if keyed else "null",
    }
    told = ",\n  ".join(f"'{name}', {part}" for name, part in facts.items())
    return f"{asked}\nselect json_build_object(\n  {told}\n) from q"
