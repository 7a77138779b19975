"""Changes by the hundred thousand, written in SQL beside a few real ones: what pages are measured over."""

from psycopg import Connection

# One in twenty is open, so that both sizes fill a page; one in fifty is a draft, the rest is over; asked for minute by minute up to now.
FILL = """
insert into changes_change (public_id, kind, state, outcome, title, words, labels, aspects, requester_id, revision_id, not_after,
                            created_at, submitted_at, risk)
  select gen_random_uuid(), case when i %% 200 = 0 then 'EMERGENCY' else 'NORMAL' end, s.state, case s.state when 'CLOSED' then 'SUCCESSFUL' else '' end,
         s.title, lower(s.title), array['label ' || i %% 50], array['CODE'],
         (array(select id from accounts_person order by id))[1 + i %% (select count(*) from accounts_person)],
         case when s.state = 'IN_REVIEW' then {revision} end, now() + make_interval(hours => i %% 5000), now() - make_interval(mins => {count} - i),
         case when s.state <> 'DRAFT' then now() end, i %% 40
  from generate_series(1, {count}) i
  cross join lateral (select case when i %% 20 = 0 then 'IN_REVIEW' when i %% 50 = 1 then 'DRAFT' else 'CLOSED' end as state,
                             'Change ' || i || ' of the ' || (array['ferry','turnstile','timetable','harbour','berth'])[1 + i %% 5] as title) s
  order by i;
insert into changes_item (change_id, position, service_id, label, identities, is_current)
  select c.id, 0, (array(select id from catalog_service order by id))[1 + (c.id %% (select count(*) from catalog_service))], '1.' || c.id %% 1000,
         array['git:' || md5(c.id::text) || '00000000'], true
  from changes_change c where c.id > {base};
insert into changes_leg (public_id, change_id, item_id, service_id, environment_id, target_id, state, failures_count, rolled_back_revision,
                         is_open, is_current)
  select gen_random_uuid(), c.id, i.id, i.service_id, t.environment_id, t.id, case c.state when 'CLOSED' then 'DONE' else 'WAITING' end, 0, 0,
         c.state = 'IN_REVIEW', true
  from changes_change c join changes_item i on i.change_id = c.id
  join lateral (select * from catalog_target where service_id = i.service_id order by id limit 1) t on true
  where c.id > {base};
insert into changes_legidentity (leg_id, service_id, environment_id, identity, is_open)
  select l.id, l.service_id, l.environment_id, i.identities[1], l.is_open from changes_leg l join changes_item i on i.id = l.item_id
  where l.change_id > {base};
insert into changes_move (change_id, seq, start, goal, at, by, reason)
  select id, 1, 'DRAFT', 'IN_REVIEW', created_at, 'SYSTEM:bench', '' from changes_change where id > {base} and state <> 'DRAFT'
"""
TABLES = ("change", "item", "leg", "legidentity", "move", "revision")


def fill(connection: Connection, *, count: int, revision: int) -> None:
    """Add this many changes; the open ones show the content of a real revision. Statistics are brought up to date."""
    row = connection.execute("select coalesce(max(id), 0) from changes_change").fetchone()
    for statement in FILL.split(";\n"):
        connection.execute(statement.replace("%%", "%").format(count=count, revision=revision, base=row[0] if row else 0))  # type: ignore[arg-type]
    for table in TABLES:
        connection.execute(f"vacuum analyze changes_{table}")  # type: ignore[arg-type]
