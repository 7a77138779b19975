"""Many rows at once, written in SQL: what the gate reads, at sizes nobody would make by hand."""

import psycopg
from psycopg import Connection

TABLES = [
    *(f"accounts_{name}" for name in ("team", "person", "rolegrant", "membership")),
    *(f"catalog_{name}" for name in ("service", "environment", "target", "targetsettings", "ownership", "arrival")),
    *(f"changes_{name}" for name in ("change", "revision", "item", "leg", "legidentity")),
    *(f"schedule_{name}" for name in ("calendarrule", "hold", "reservation")),
    "approvals_signoff",
]

# A column that says nothing here gets the blank of its type, so that only what the gate reads is written out below;
# what the checks ask for is not asked here.
BLANKS = """do $$ declare c record; begin
  for c in select a.attrelid::regclass as t, a.attname as n, format_type(a.atttypid, null) as k from pg_attribute a
           where a.attrelid = any(%s::text[]::regclass[]) and a.attnum > 0 and a.attnotnull and not a.attisdropped
             and not a.atthasdef and a.attidentity = '' loop
    execute format('alter table %%s alter column %%I set default %%s', c.t, c.n, case
      when c.k = 'uuid' then 'gen_random_uuid()' when c.k like 'timestamp%%' then 'now()' when c.k = 'boolean' then 'false'
      when c.k like '%%[]' or c.k like '%%range' then quote_literal('{}') when c.k like '%%int%%' then '0' else quote_literal('') end);
  end loop;
  for c in select conrelid::regclass as t, conname as n from pg_constraint where contype = 'c' and conrelid = any(%s::text[]::regclass[]) loop
    execute format('alter table %%s drop constraint %%I', c.t, c.n);
  end loop; end $$"""

FILL = """
insert into accounts_team (slug, name) select 'b-team-' || i, 'Team ' || i from generate_series(1, %(services)s / 10 + 1) i;
insert into accounts_person (email, name, is_active)
  select 'b-' || i || '@example.org', 'P ' || i, true from generate_series(1, %(people)s) i;
insert into accounts_rolegrant (person_id, role, granted_by) select id, 'APPROVER', 'b' from accounts_person where email like 'b-%%';
insert into accounts_membership (team_id, person_id)
  select (select id from accounts_team where slug = 'b-team-' || (p.id %% (%(services)s / 10) + 1)), p.id
  from accounts_person p where email like 'b-%%';
insert into catalog_service (slug, name, team_id, tier)
  select 'b-service-' || i, 'S ' || i, (select id from accounts_team where slug = 'b-team-' || (i / 10 + 1)), 2
  from generate_series(1, %(services)s) i;
insert into catalog_ownership (service_id, person_id, kind)
  select s.id, p.id, 'BUSINESS' from catalog_service s
  join lateral (select id from accounts_person where email like 'b-%%' order by id offset s.id %% %(people)s limit 3) p on true
  where s.slug like 'b-%%';
insert into catalog_target (service_id, environment_id) select s.id, e.id from catalog_service s cross join catalog_environment e
  where s.slug like 'b-%%';
insert into changes_change (kind, state, title, requester_id)
  select 'NORMAL', case when i %% 20 = 0 then 'APPROVED' else 'CLOSED' end, 'b', p.id
  from generate_series(1, %(changes)s) i
  join lateral (select id from accounts_person where email = 'b-' || (i %% %(people)s + 1) || '@example.org') p on true;
insert into changes_revision (change_id, number, author_id, digest) select id, 1, requester_id, 'b' from changes_change where title = 'b';
update changes_change h set revision_id = r.id from changes_revision r where r.change_id = h.id and h.title = 'b';
insert into changes_item (change_id, service_id, identities, is_current)
  select h.id, s.id, array['git:' || md5(h.id::text) || '00000000'], true
  from changes_change h join catalog_service s on s.slug = 'b-service-' || (h.id %% %(services)s + 1) where h.title = 'b';
insert into changes_leg (change_id, item_id, service_id, environment_id, target_id, state, is_open, is_current)
  select h.id, m.id, m.service_id, g.environment_id, g.id, case when h.state = 'APPROVED' then 'WAITING' else 'DONE' end,
         h.state = 'APPROVED', true
  from changes_change h join changes_item m on m.change_id = h.id
  join lateral (select * from catalog_target where service_id = m.service_id order by id limit 1) g on true where h.title = 'b';
insert into changes_legidentity (leg_id, service_id, environment_id, identity, is_open)
  select g.id, g.service_id, g.environment_id, m.identities[1], g.is_open from changes_leg g join changes_item m on m.id = g.item_id
  join changes_change h on h.id = g.change_id where h.title = 'b';
insert into approvals_signoff (change_id, revision_id, person_id, requester_id, decision, meaning, statement_hash)
  select h.id, h.revision_id, p.id, h.requester_id, 'APPROVE', 'APPROVAL', md5(h.id::text) || md5(h.id::text)
  from changes_change h
  join lateral (select id from accounts_person where email like 'b-%%' and id <> h.requester_id limit 1) p on true
  where h.title = 'b' and h.id %% 4 = 0;
insert into catalog_arrival (target_id, identities, outcome)
  select g.target_id, m.identities, 'SUCCEEDED'
  from changes_leg g join changes_item m on m.id = g.item_id join changes_change h on h.id = g.change_id
  where h.title = 'b' and h.id %% 2 = 0;
insert into schedule_calendarrule (kind, title, scope, covers, time_zone, live_until)
  select case when i %% 2 = 0 then 'FREEZE' else 'WINDOW' end, 'b', 4000000000 + i %% 90,
         tstzmultirange(tstzrange(now() + make_interval(days => i - %(rules)s / 2), now() + make_interval(days => i - %(rules)s / 2 + 1))),
         'UTC', now() + make_interval(days => i - %(rules)s / 2 + 1)
  from generate_series(1, %(rules)s) i;
insert into schedule_hold (scope, source, reason, lifted_at, lifted_by)
  select 5000000000 + i %% 500, 'PERSON', 'b', now(), 'b' from generate_series(1, %(rules)s) i;
insert into schedule_reservation (target_id, service_id, starts_at, reserved_until, released_at)
  select id, service_id, now() - interval '1 day', now() - interval '1 hour', now() from catalog_target;
"""


def fill(connection: Connection, *, changes: int, services: int = 300, people: int = 500, rules: int = 1000) -> None:
    """Add this many rows; one change in twenty is open. Statistics are left as they are."""
    connection.execute(psycopg.ClientCursor(connection).mogrify(BLANKS, [TABLES, TABLES]))
    parameters = {"changes": changes, "services": services, "people": people, "rules": rules}
    for statement in FILL.split(";\n"):
        if statement.strip():
            connection.execute(statement % parameters)  # numbers of our own


def analyse(connection: Connection) -> None:
    """Bring the statistics up to date, as autovacuum would some minutes later."""
    for table in TABLES:
        connection.execute(f"analyze {table}")
