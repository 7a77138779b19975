"""The legs that name a version, each open one with all that its verdict needs: the texts of what `called.py` makes functions of."""

CLOSED = 4  # closed legs that are told where no open one names the version
LEGS = 8  # open legs of one version in one environment that are read; one more is a finding of its own
SIGN_OFFS, PEOPLE, FEW, DEBTS, REPORTS = 64, 200, 5, 20, 20
# Names of functions, until their version is known.
PLACE_CALL, EXCEPTIONS_CALL, MODEL_CALL, PASSKEY_CALL, EVIDENCE_CALL = (
    "the_place_function",
    "the_exceptions_function",
    "the_model_function",
    "the_passkey_function",
    "the_evidence_function",
)
CALLED = {
    PLACE_CALL: "gate_place",
    EXCEPTIONS_CALL: "gate_exceptions",
    MODEL_CALL: "gate_model",
    PASSKEY_CALL: "gate_passkey",
    EVIDENCE_CALL: "gate_evidence",
}

# The roles, teams and ownerships that hold for the service; `p` is the person, who stands as the one they are merged into.
PERSON = """(select json_build_object(
    'id', p.public_id, 'name', p.name, 'active', p.is_active and p.merged_into_id is null, 'canonical', z.public_id,
    'inactive_until', p.inactive_until,
    'roles', case when z.is_active and z.merged_into_id is null then (select json_agg(y.role) from (
        select x.role from accounts_rolegrant x
          where x.person_id = z.id and x.revoked_at is null and (x.team_id is null or x.team_id = q.team_id)
        union select x.role from catalog_servicerole x where x.service_id = q.service_id and x.ended_at is null
            and (x.person_id = z.id or x.person_id in (select m.id from accounts_person m where m.merged_into_id = z.id))) y) end,
    'stands_for', (select json_agg(m.public_id) from accounts_person m where m.merged_into_id = z.id),
    'teams', (select json_agg(t.public_id) from accounts_membership x join accounts_team t on t.id = x.team_id
              where x.person_id = z.id and x.ended_at is null),
    'owner_of', (select json_agg(x.kind) from catalog_ownership x
                 where x.service_id = q.service_id and x.ended_at is null
                   and (x.person_id = z.id or x.person_id in (select m.id from accounts_person m where m.merged_into_id = z.id))))
  from accounts_person z where z.id = coalesce(p.merged_into_id, p.id))"""

# What a passkey signed, and the passkey it names; any column that is filled is told, so that none can be half there.
ASSERTION = """json_build_object(
    'columns', json_build_array(encode(o.credential_id, 'base64'), encode(o.authenticator_data, 'base64'),
                                encode(o.client_data, 'base64'), encode(o.assertion, 'base64')), 'rp_id', o.rp_id, 'origin', o.origin,
    'enrolment', (select json_build_object('person', w.public_id, 'public_key', encode(k.public_key, 'base64'), 'rp_id', k.rp_id,
                                           'enrolled_at', k.enrolled_at, 'removed_at', k.removed_at)
                  from accounts_passkey k join accounts_person w on w.id = k.person_id where k.credential_id = o.credential_id))"""
HAS_ASSERTION = """length(o.credential_id) + length(o.authenticator_data) + length(o.client_data) + length(o.assertion) > 0
    or o.rp_id <> '' or o.origin <> ''"""
PASSKEY = f"case when {HAS_ASSERTION} then {ASSERTION} end"
SIGNED_BY_PASSKEY = f"case when {HAS_ASSERTION} then public.{PASSKEY_CALL}(o.id) end"

# In whose place it was given, and by what: read only where a sign-off says so. Whoever was merged is who they stand as.
PLACE = f"""select json_build_object(
    'asked_by', w.public_id, 'delegate', coalesce(m.public_id, y.public_id), 'starts_at', d.starts_at, 'ends_at', d.ends_at,
    'ended_at', d.ended_at, 'services', d.service_ids, 'kinds', d.kinds, 'service', q.service_id, 'kind', q.kind, 'person', {PERSON})
  from approvals_delegation d join accounts_person w on w.id = d.person_id join accounts_person y on y.id = d.delegate_id
  left join accounts_person m on m.id = y.merged_into_id join accounts_person p on p.id = coalesce(w.merged_into_id, w.id)
  where d.id = q.delegation_id"""
IN_PLACE_OF = f"case when o.delegation_id is not null then public.{PLACE_CALL}(o.delegation_id, h.kind, q.service_id, q.team_id) end"

# The version of a model that a STANDARD change began from, and what became of the model: read for those changes alone.
MODEL = """select json_build_object(
    'id', m.public_id, 'name', m.name, 'slug', m.slug, 'retired_at', m.retired_at, 'in_force', w.number, 'number', v.number,
    'body', encode(v.body, 'base64'), 'made_at', v.made_at, 'author', json_build_object('id', c.public_id, 'name', c.name),
    'agreed_by', case when d.id is not null then json_build_object('id', d.public_id, 'name', d.name) end,
    'statement', encode(v.statement, 'base64'), 'key_id', v.key_id, 'alg', v.alg, 'signature', encode(v.signature, 'base64'),
    'team', (select t.public_id from accounts_team t where t.id = q.team_id), 'plan', encode(q.plan, 'base64'))
  from changes_changemodelversion v join changes_changemodel m on m.id = v.model_id join accounts_person c on c.id = v.author_id
  left join changes_changemodelversion w on w.id = m.version_id left join accounts_person d on d.id = v.agreed_by_id
  where v.id = q.version_id"""
MODEL_OF = f"case when h.kind = 'STANDARD' then public.{MODEL_CALL}(h.made_from_id, q.team_id, r.plan) end"

# What a sign-off is by itself; `o` is its row. Who gave it and what the revision said that it names is read beside it.
GIVEN = f"""'id', o.public_id, 'given_at', o.given_at, 'statement', encode(o.statement, 'base64'),
    'statement_hash', o.statement_hash, 'signature', encode(o.signature, 'base64'), 'key_id', o.key_id, 'alg', o.alg,
    'decision', o.decision, 'meaning', o.meaning, 'parts', o.covered_parts, 'person_pk', o.person_id,
    'passkey', {SIGNED_BY_PASSKEY}, 'in_place_of', {IN_PLACE_OF}"""
SIGN_OFFS_GIVEN = f"""(select json_agg(json_build_object({GIVEN}) order by o.given_at, o.id)
  from (select * from approvals_signoff o where o.change_id = h.id and o.withdrawn_at is null order by o.id desc limit {SIGN_OFFS}) o)"""

SIGN_OFF = f"""(select json_agg(json_build_object(
    {GIVEN}, 'revision', o.revision_number, 'author', o.author, 'digests', o.digests, 'person', {PERSON}) order by o.given_at, o.id)
  from (select o.*, v.number as revision_number, w.public_id as author,
          json_build_object('scope', v.scope_digest, 'plan', v.plan_digest, 'rollback', v.rollback_digest,
                            'period', v.period_digest, 'story', v.story_digest) as digests
        from approvals_signoff o join changes_revision v on v.id = o.revision_id join accounts_person w on w.id = v.author_id
        where o.change_id = h.id and o.withdrawn_at is null order by o.id desc limit {SIGN_OFFS}) o
  join accounts_person p on p.id = o.person_id)"""

# What both persons of an exception signed, and what its row says of it; `x` is the row, `v` its revision, `a` who wrote that.
CLAIMED = f"""'id', x.public_id, 'ref', 'EXC-' || x.id, 'kind', x.kind, 'lifts', x.lifts, 'minutes', x.minutes, 'reason', x.reason,
    'asked_at', x.asked_at, 'agreed_at', x.agreed_at, 'ends_at', x.ends_at, 'due_at', x.review_due_at, 'reviewed_at', x.reviewed_at,
    'revision', v.number, 'author', a.public_id,
    'digests', json_build_object('scope', v.scope_digest, 'plan', v.plan_digest, 'rollback', v.rollback_digest,
                                 'period', v.period_digest, 'story', v.story_digest),
    'signatures', (select json_agg(json_build_object(
        'act', o.act, 'person', u.public_id, 'given_at', o.given_at, 'statement', encode(o.statement, 'base64'),
        'statement_hash', o.statement_hash, 'signature', encode(o.signature, 'base64'), 'key_id', o.key_id, 'alg', o.alg,
        'passkey', {PASSKEY})) from approvals_exceptionsignature o join accounts_person u on u.id = o.person_id where o.exception_id = x.id)"""

# The overdue reviews of a team, with what proves that they are owed; each is of a leg of its own.
DEBTS_OF = f"""(select json_agg(json_build_object({CLAIMED},
    'asked_by', json_build_object('id', e.public_id), 'agreed_by', json_build_object('id', f.public_id), 'target', t.public_id,
    'leg', json_build_object('id', g.public_id, 'change', h.public_id, 'kind', h.kind, 'requester', r.public_id, 'model',
        case when h.kind = 'STANDARD' then (select json_build_object('id', m.public_id, 'number', y.number, 'body', encode(y.body, 'base64'))
             from changes_changemodelversion y join changes_changemodel m on m.id = y.model_id where y.id = h.made_from_id) end)
    ) order by x.review_due_at, x.id)
  from (select y.* from approvals_legexception y where y.team_id = owed.team_id and y.id <> owed.id and y.agreed_at is not null
          and y.reviewed_at is null and y.review_due_at <= q.at order by y.review_due_at, y.id limit {DEBTS}) x
  join changes_revision v on v.id = x.revision_id join accounts_person a on a.id = v.author_id
  join accounts_person e on e.id = x.asked_by_id join accounts_person f on f.id = x.agreed_by_id
  join changes_leg g on g.id = x.leg_id join changes_change h on h.id = g.change_id join accounts_person r on r.id = h.requester_id
  join catalog_target t on t.id = g.target_id)"""

# Exceptions of a leg that two people agreed to and that have not ended, with what both signed and what the team owes.
EXCEPTIONS = f"""select json_agg(json_build_object({CLAIMED},
    'asked_by', (select {PERSON} from accounts_person p where p.id = x.asked_by_id),
    'agreed_by', (select {PERSON} from accounts_person p where p.id = x.agreed_by_id),
    'debts', (select {DEBTS_OF} from (select x.id, x.team_id) owed)) order by x.id)
  from (select * from approvals_legexception l where l.leg_id = q.leg_id and l.agreed_at is not null and l.withdrawn_at is null
          and l.ends_at > q.at order by l.id desc limit {FEW}) x
  join changes_revision v on v.id = x.revision_id join accounts_person a on a.id = v.author_id"""
EXCEPTED = f"""case when exists (select from approvals_legexception x where x.leg_id = g.id and x.agreed_at is not null
      and x.withdrawn_at is null and x.ends_at > q.at) then public.{EXCEPTIONS_CALL}(g.id, q.service_id, q.team_id, q.at) end"""

# The most specific policy: of the service before of all services, of the kind before of every kind, of the highest risk reached.
POLICY = """select y.* from (
    (select * from approvals_policy where environment_id = q.environment_id and service_id = q.service_id
       and kind in ('', h.kind) and least_risk <= coalesce(h.risk, 0) and retired_at is null)
    union all
    (select * from approvals_policy where environment_id = q.environment_id and service_id is null
       and kind in ('', h.kind) and least_risk <= coalesce(h.risk, 0) and retired_at is null)) y
  where y.version_id is not null order by y.service_id nulls last, y.kind desc, y.least_risk desc limit 1"""

# Members of a group are needed only where a rule asks everyone of it; the others never pay for this. Who was merged is
# asked as the one they were merged into: nobody falls out of "everyone" by becoming somebody else.
EVERYONE = f"""(
    select json_agg({PERSON}) from (select distinct coalesce(k.merged_into_id, k.id) as id from (
        select x.person_id as id from catalog_ownership x where x.service_id = q.service_id and x.ended_at is null
        union select x.person_id from accounts_rolegrant x
          where x.revoked_at is null and (x.team_id is null or x.team_id = q.team_id)
            and x.role in (select r ->> 'role' from jsonb_path_query(convert_from(v.body, 'UTF8')::jsonb, '$.rules[*].group') r)
        union select x.person_id from catalog_servicerole x where x.service_id = q.service_id and x.ended_at is null
            and x.role in (select r ->> 'role' from jsonb_path_query(convert_from(v.body, 'UTF8')::jsonb, '$.rules[*].group') r)
        union select x.person_id from accounts_membership x join accounts_team t on t.id = x.team_id
          where x.ended_at is null
            and t.public_id::text in (select r ->> 'team' from jsonb_path_query(convert_from(v.body, 'UTF8')::jsonb, '$.rules[*].group') r)
        union select x.id from accounts_person x
          where x.public_id::text in (select jsonb_array_elements_text(r -> 'persons')
                                      from jsonb_path_query(convert_from(v.body, 'UTF8')::jsonb, '$.rules[*].group') r
                                      where r ? 'persons')
      ) i join accounts_person k on k.id = i.id limit {PEOPLE + 1}) f join accounts_person p on p.id = f.id)"""

# Who last changed each part: the newest revision that says something else than the one before it.
EDITORS = """(select json_object_agg(x.part, coalesce(z.public_id, y.public_id)) from (
    select distinct on (i.part) i.part, v.author_id from changes_revision v
    left join changes_revision o on o.change_id = v.change_id and o.number = v.number - 1
    cross join lateral (values ('scope', v.scope_digest, o.scope_digest), ('plan', v.plan_digest, o.plan_digest),
        ('rollback', v.rollback_digest, o.rollback_digest), ('period', v.period_digest, o.period_digest),
        ('story', v.story_digest, o.story_digest)) i(part, says, said)
    where v.change_id = h.id and v.number <= r.number and i.says is distinct from i.said order by i.part, v.number desc) x
  join accounts_person y on y.id = x.author_id left join accounts_person z on z.id = y.merged_into_id)"""


# Reports that were shown with the change for a version like this one, the newest first.
EVIDENCE = f"""(select json_agg(json_build_object('name', x.name, 'kind', x.kind, 'identities', x.identities,
        'tests', x.counted -> 'tests', 'failures', x.counted -> 'failures', 'errors', x.counted -> 'errors',
        'skipped', x.counted -> 'skipped', 'error', x.counted -> 'error') order by x.id desc)
  from (select u.id, u.name, u.identities, f.kind, f.counted from changes_evidenceupload u join changes_evidencefile f on f.id = u.file_id
        where u.change_id = h.id and u.identities && q.identities::varchar[] and f.kind in ('JUNIT', 'SARIF')
        order by u.id desc limit {REPORTS}) x)"""
SHOWN = f"""case when exists (select from changes_evidenceupload u where u.change_id = h.id)
    then public.{EVIDENCE_CALL}(h.id, q.identities) end"""

# What a leg is by itself, its revision hashed anew; `g` is its row, `h` its change and `r` the revision that holds.
LEG = f"""'pk', g.id, 'id', g.public_id, 'state', g.state, 'failures', g.failures_count,
    'change', h.public_id, 'ref', 'CHG-' || h.id, 'change_state', h.state, 'kind', h.kind, 'risk', h.risk,
    'requester_pk', h.requester_id, 'revision_id', r.public_id, 'model', {MODEL_OF}, 'revision', r.number, 'digest', r.digest,
    'scope', encode(r.scope, 'base64'), 'rollback', encode(r.rollback, 'base64'), 'period', encode(r.period, 'base64'),
    'digests', json_build_object('scope', encode(sha256(r.scope), 'hex'), 'plan', encode(sha256(r.plan), 'hex'),
                                 'rollback', encode(sha256(r.rollback), 'hex'), 'period', encode(sha256(r.period), 'hex'),
                                 'story', encode(sha256(r.story), 'hex')),
    'stored', json_build_object('scope', r.scope_digest, 'plan', r.plan_digest, 'rollback', r.rollback_digest,
                                'period', r.period_digest, 'story', r.story_digest),
    'slot', (select json_build_object('starts_at', w.starts_at, 'ends_at', w.ends_at) from schedule_slot w where w.leg_id = g.id),
    'evidence', {SHOWN}, 'exceptions', {EXCEPTED}"""


def _whole_leg(*, everyone: bool) -> str:
    return f"""json_build_object({LEG},
    'requester', a.public_id, 'author', b.public_id,
    'hands', json_build_object('requester', coalesce((select z.public_id from accounts_person z where z.id = a.merged_into_id), a.public_id),
                               'editors', {EDITORS}),
    'policy', (select json_build_object('id', y.public_id, 'name', y.name, 'number', v.number, 'digest', encode(sha256(v.body), 'hex'),
                                        'body', encode(v.body, 'base64'), 'people', {EVERYONE if everyone else "null"})
               from ({POLICY}) y join approvals_policyversion v on v.id = y.version_id),
    'sign_offs', {SIGN_OFF})"""


def _legs_named(is_open: str, order: str, limit: int) -> str:
    """The legs that name one of the identities, a bounded number per identity: nobody can push another's leg out of sight."""
    return f"""select distinct n.leg_id from unnest(q.identities) as i(identity) cross join lateral (
        select l.leg_id from changes_legidentity l
        where l.service_id = q.service_id and l.environment_id = q.environment_id and l.identity = i.identity
          and {is_open} and (q.leg_id is null or l.leg_id = q.leg_id)
        order by l.leg_id {order} limit {limit}) n order by n.leg_id {order} limit {limit}"""


def open_legs(*, everyone: bool) -> str:
    """Open legs, whole."""
    return f"""(select json_agg({_whole_leg(everyone=everyone)} order by g.id)
           from ({_legs_named("l.is_open", "asc", LEGS + 1)}) f
           join changes_leg g on g.id = f.leg_id join changes_change h on h.id = g.change_id
           join changes_revision r on r.id = h.revision_id
           join accounts_person a on a.id = h.requester_id join accounts_person b on b.id = r.author_id)"""


# Open legs without what stands on the ground: people, policy, and what earlier revisions said.
MOVING_LEGS = f"""(select json_agg(json_build_object({LEG}, 'sign_offs', {SIGN_OFFS_GIVEN}) order by g.id)
           from ({_legs_named("l.is_open", "asc", LEGS + 1)}) f
           join changes_leg g on g.id = f.leg_id join changes_change h on h.id = g.change_id
           join changes_revision r on r.id = h.revision_id)"""
CLOSED_LEGS = f"""(select json_agg(json_build_object('ref', 'CHG-' || h.id, 'change_state', h.state, 'state', g.state,
                                               'identities', m.identities) order by g.id desc)
             from ({_legs_named("not l.is_open", "desc", CLOSED)}) f
             join changes_leg g on g.id = f.leg_id join changes_item m on m.id = g.item_id join changes_change h on h.id = g.change_id)"""
