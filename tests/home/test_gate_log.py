"""The gate's log: what each search holds, whom it hides what from, pages that reach everything, and a bounded number of statements."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.states import State
from apps.core.ids import id_at, moment_in
from apps.gate.log import Wanted, log_page
from apps.gate.models import Evaluation
from apps.home.facts.evaluation import counted_rules, judged_rules
from apps.home.facts.gate_log import PAGE, cursor, gate_log
from apps.home.search.gate_terms import GATE_SPECS
from apps.home.search.grammar import parse
from tests.factories.accounts import MembershipFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.gate import EvaluationFactory, VerdictRowFactory, ask, body_for, make_gate_token
from tests.factories.schedule import HoldFactory
from tests.home.pages import HOSTILE, get, marks_of, nothing_written, text_of

pytestmark = pytest.mark.django_db
BUDGET = 12


@pytest.fixture
def reader():
    return make_person(Role.REQUESTER)


@pytest.fixture
def secret():
    return make_gate_token(name="Night pipeline")[1]


def asked(secret, target, **more):
    return ask(secret, body_for(target, **more)).json()["id"]


def shown(client, reader, q="", **more):
    """The ids of the evaluations on the page."""
    page = marks_of(get(client, reader, "home:gate", q=q, **more))
    return [
        one
        for one in map(str, Evaluation.objects.order_by("-id").values_list("id", flat=True))
        if f'class="item-title" href="/gate/{one}/"' in page
    ]


def fill(count, target, *, minutes=0, verdict="DENY", codes=("no_change",)):
    """Plain rows, one a second, the newest last."""
    made, now = [], timezone.now() - timedelta(minutes=minutes)
    for number in range(count):
        at = now - timedelta(seconds=count - number)
        question = (
            f'{{"service":"{target.service.slug}","environment":"{target.environment.slug}","identities":[],"action":"DEPLOY","run":null}}'
        )
        one = EvaluationFactory(at=at, id=id_at(at), target_id=target.pk, question=question.encode())
        record = b'{"findings":[],"passed":[],"bound":{}}'
        VerdictRowFactory(evaluation_id=one.id, at=at, verdict=verdict, codes=list(codes), record=record)
        made.append(str(one.id))
    return made


def test_log_shows_every_question_the_newest_first(client, reader, secret):
    first, second = asked(secret, make_place()), asked(secret, make_place())

    page = get(client, reader, "home:gate")

    assert page.status_code == 200
    assert shown(client, reader) == [second, first]
    assert marks_of(page).index(second) < marks_of(page).index(first)
    assert "Night pipeline" in text_of(page)
    assert "no_change" in text_of(page)


def test_each_code_leads_to_its_rule_in_the_answer(client, reader, secret):
    place = make_place()
    HoldFactory(scope=5_000_000_000 + place.pk)
    evaluation = asked(secret, place)

    links = re.findall(r'href="(/gate/[^"#]+/)#(code-[a-z_]+)">([a-z_]+)</a>', marks_of(get(client, reader, "home:gate")))
    explained = marks_of(get(client, reader, "home:gate_evaluation", evaluation))

    assert {code for *_, code in links} == {"no_change", "held"}
    for address, anchor, code in links:
        assert (address, anchor) == (reverse("home:gate_evaluation", args=[evaluation]), f"code-{code}")
        assert explained.count(f'id="{anchor}"') == 1
        assert f'<small class="mono">{code}</small>' in explained


def test_a_code_found_twice_has_one_place():
    findings = [{"effect": "BLOCK", "rule": "freeze", "code": "frozen", "message": said} for said in ("Here.", "There.")]

    assert [one.get("place") for one in judged_rules(findings, ["hold"])] == ["code-frozen", "", None]


def test_an_answer_in_the_minute_of_the_question_has_one_time(client, reader, secret):
    fill(1, make_place())

    assert "<small>answered last" not in marks_of(get(client, reader, "home:gate"))


def test_a_search_holds_what_it_says(client, reader, secret):
    here, there = make_place(), make_place()
    change = make_change(State.APPROVED, targets=(there,))
    HoldFactory(scope=5_000_000_000 + there.pk)
    denied, held = asked(secret, here), asked(secret, there)
    both = [held, denied]
    expected = {
        "": both,
        "verdict:deny": both,
        "verdict:no": both,
        "-verdict:deny": [],
        "verdict:allow,pending": [],
        f"service:{here.service.slug}": [denied],
        f'service:"{here.service.name}"': [denied],
        f"-service:{here.service.slug}": [held],
        f"env:{there.environment.slug}": [held],
        f"service:{here.service.slug} env:{there.environment.slug}": [],
        "code:held": [held],
        "-code:held": [denied],
        "code:held,no_change": both,
        'token:"night pipeline"': both,
        '-token:"Night pipeline"': [],
        f"change:{change.ref}": [held],
        change.ref: [held],
        "commit:4a92c6e8": [] if "4a92c6e8" not in str(change.legs.get().item.identities) else both,
        "since:1d": both,
        "before:2026-01-01": [],
        f"verdict:deny service:{there.service.slug} code:held since:1d": [held],
    }

    assert {q: shown(client, reader, q) for q in expected} == expected


def test_a_commit_is_found_by_its_beginning(client, reader, secret):
    mine, other = "ab" * 20, "cd" * 20
    target = make_place()
    found, _ = asked(secret, target, identities={"git": mine}), asked(secret, target, identities={"git": other, "sha256": "ee" * 32})

    assert shown(client, reader, "commit:abababa") == [found]
    assert shown(client, reader, "abababab") == [found]
    assert len(shown(client, reader, "digest:eeeeeeee")) == 1


def test_the_last_answer_counts(client, reader):
    target, secret = make_place(), make_gate_token()[1]
    body = body_for(target)
    one = ask(secret, body, key="run-1").json()["id"]
    make_change(State.APPROVED, targets=(target,))
    ask(secret, body, key="run-1")

    assert shown(client, reader, "verdict:deny") == []
    assert shown(client, reader, "verdict:yes") == [one]


@pytest.mark.parametrize(
    ("q", "said"),
    [
        ("service:nowhere", "No service is called “nowhere”."),
        ("env:nowhere", "No environment is called “nowhere”."),
        ("code:nonsense", "No rule answers with the code “nonsense”."),
        ("token:nobody", "No token is called “nobody”."),
        ("change:CHG-999999", "There is no change “CHG-999999” that you may see."),
        ("verdict:maybe", "“maybe” is no verdict."),
        ("state:open", "There is no term “state:”."),
        ("payments", "The log is not searched for words such as “payments”."),
        ("since:1d since:2d", "since: stands once"),
        ("-change:CHG-1", "change: stands once"),
        ("since:yesterday", "“yesterday” is no day."),
        ("commit:xyz", "“xyz” is no beginning of a commit."),
        ("commit:abababab digest:cdcdcdcd", "One identity is looked for at a time."),
    ],
)
def test_a_search_that_cannot_be_read_shows_no_rows_and_the_cure(client, reader, secret, q, said):
    asked(secret, make_place())

    page = get(client, reader, "home:gate", q=q)

    assert said in text_of(page)
    assert shown(client, reader, q) == []
    assert "No rows are shown" in text_of(page)


def test_the_page_of_an_evaluation_is_found_by_its_id(client, reader, secret):
    one = asked(secret, make_place())

    assert get(client, reader, "home:gate", q=f" {one} ").url == reverse("home:gate_evaluation", args=[one])


# Whom it hides what from.


def test_questions_about_restricted_services_are_not_there(client, reader, secret):
    hidden, seen = make_place(), make_place()
    mine, other = asked(secret, hidden), asked(secret, seen)
    Service.objects.filter(pk=hidden.service_id).update(is_restricted=True)
    insider, auditor = make_person(), make_person(Role.AUDITOR)
    MembershipFactory(person=insider, team=hidden.service.team)

    assert shown(client, reader) == [other]
    assert shown(client, reader, f"env:{hidden.environment.slug}") == []
    assert f"No service is called “{hidden.service.slug}”." in text_of(get(client, reader, "home:gate", q=f"service:{hidden.service.slug}"))
    assert shown(client, insider) == shown(client, auditor) == [other, mine]


def test_a_question_about_a_place_that_is_not_there_hides_a_restricted_service_too(client, reader, secret):
    hidden = make_place().service
    body = {"service": hidden.slug, "environment": "nowhere", "identities": {"git": "ab" * 20}}
    mine, other = ask(secret, body).json()["id"], ask(secret, {**body, "service": "nobody-has-it"}).json()["id"]
    Service.objects.filter(pk=hidden.pk).update(is_restricted=True)

    assert shown(client, reader) == [other]
    assert shown(client, make_person(Role.AUDITOR)) == [other, mine]
    assert hidden.slug not in marks_of(get(client, reader, "home:gate"))


def test_the_change_is_named_to_those_who_see_it_alone(client, reader, secret):
    target, hidden = make_place(), make_place()
    change = make_change(State.APPROVED, targets=(target, hidden))
    asked(secret, target)
    assert change.ref in text_of(get(client, reader, "home:gate"))

    Service.objects.filter(pk=hidden.service_id).update(is_restricted=True)

    assert change.ref not in text_of(get(client, reader, "home:gate"))


# Pages.


def walk(client, reader, q=""):
    """Every page from the first to the last: the ids in their order."""
    seen, url = [], f"{reverse('home:gate')}?q={q}"
    while url:
        client.force_login(reader)
        page = client.get(url)
        seen += [line.asked.id for line in page.context["log"].lines]
        more = page.context["log"].page.next_after
        url = f"{reverse('home:gate')}{page.context['older_url']}" if more else ""
    return [str(one) for one in seen]


def test_pages_reach_every_question_once(client, reader):
    target = make_place()
    made = fill(PAGE * 2 + 7, target)

    assert walk(client, reader) == made[::-1]
    assert walk(client, reader, f"service:{target.service.slug}") == made[::-1]


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("walked", [2, 5, 1000])
@pytest.mark.parametrize("targets", [None, "all"])
def test_a_bounded_walk_reaches_everything_and_says_how_far_it_looked(size, walked, targets):
    places = [make_place(), make_place()]
    made = [*fill(6, places[0], minutes=3), *fill(5, places[1], minutes=2, codes=("frozen",)), *fill(4, places[0])]
    wanted = Wanted(codes=("no_change",), targets=None if targets is None else [one.pk for one in places])
    seen, after = [], None
    for _ in range(60):
        page = log_page(Wanted(codes=wanted.codes, targets=wanted.targets, after=after), size=size, walk=walked)
        seen += [str(row.id) for row in page.rows]
        after = page.next_after
        if after is None:
            break

    assert seen == [one for one in made[::-1] if one not in made[6:11]]
    assert after is None


@pytest.mark.parametrize("targets", [None, "all"])
def test_moments_bound_the_walk_itself(targets):
    place = make_place()
    made = fill(9, place)
    moments = [moment_in(UUID(one)) for one in made]
    here = None if targets is None else [place.pk]

    page = log_page(Wanted(targets=here, since=moments[3], before=moments[6]), size=9, walk=4)

    assert [str(row.id) for row in page.rows] == made[5:2:-1]
    assert (page.next_after, page.looked_back_to) == (None, None)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_moments_beyond_all_ids_bound_nothing_wrongly(moment):
    made, moment = fill(1, make_place()), moment.replace(tzinfo=UTC)
    is_early = moment.year == 1

    found = log_page(Wanted(since=moment if is_early else None, before=None if is_early else moment - timedelta(days=1)), size=9)

    assert [str(row.id) for row in found.rows] == made


def test_a_page_that_ends_early_leads_further_back(client, reader, monkeypatch):
    monkeypatch.setattr("apps.gate.log.WALK", 3)
    monkeypatch.setattr("apps.gate.log.log_page.__kwdefaults__", {"walk": 3})
    made = fill(8, make_place())

    page = get(client, reader, "home:gate", q="verdict:allow")

    assert "Looked back to" in text_of(page)
    assert "Look further back" in text_of(page)
    assert walk(client, reader) == made[::-1]


@pytest.mark.parametrize(
    "after", ["", "x", "0" * 32, "f" * 32, "ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-7000-8000-000000000000"]
)
def test_a_cursor_of_nobodys_making_is_harmless(client, reader, secret, after):
    asked(secret, make_place())

    assert get(client, reader, "home:gate", after=after).status_code == 200


def test_a_cursor_is_an_id_that_carries_a_moment():
    now = timezone.now()

    assert cursor(str(id_at(now))) is not None
    assert cursor(str(UUID(int=5))) is None


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_whatever_is_searched_for_is_answered(client, reader, kind):
    client.force_login(reader)

    with nothing_written():
        assert client.get(reverse("home:gate"), {"q": HOSTILE[kind][:5_000]}).status_code == 200


@given(st.text(max_size=60))
def test_reading_a_search_of_the_log_never_raises(text):
    parse(text, specs=GATE_SPECS)


@pytest.mark.parametrize(
    "q", ["", "verdict:deny", 'service:{service} env:{env} code:no_change token:"Night pipeline" since:7d', "change:{ref}"]
)
def test_the_number_of_statements_is_bounded(client, reader, secret, q):
    target = make_place()
    change = make_change(State.APPROVED, targets=(target,))
    Service.objects.filter(pk=make_place().service_id).update(is_restricted=True)
    for _ in range(5):
        asked(secret, target)
    client.force_login(reader)
    with CaptureQueriesContext(connection) as seen:
        page = client.get(reverse("home:gate"), {"q": q.format(service=target.service.slug, env=target.environment.slug, ref=change.ref)})

    assert page.status_code == 200
    assert len(seen) <= BUDGET


def test_a_token_alone_does_not_read_the_log(client):
    assert client.get(reverse("home:gate")).status_code == 302


# Every search against looking at each row by hand.

PICKS = st.fixed_dictionaries(
    {
        "verdict": st.sets(st.sampled_from(["allow", "pending", "deny"]), max_size=2),
        "code": st.sets(st.sampled_from(["frozen", "held", "no_change"]), max_size=2),
        "not_code": st.sets(st.sampled_from(["frozen", "held"]), max_size=1),
        "place": st.sampled_from(["", "0", "1"]),
    }
)


@pytest.fixture
def rows():
    """Answers of two places, in every mixture."""
    places, kept = [make_place(), make_place()], []
    for number, verdict in enumerate(["ALLOW", "PENDING", "DENY"] * 4):
        codes = [code for bit, code in enumerate(["frozen", "held"]) if number >> bit & 1] or ["no_change"]
        (one,) = fill(1, places[number % 2], minutes=20 - number, verdict=verdict, codes=codes)
        kept.append((one, verdict, set(codes), number % 2))
    return places, kept


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pick=PICKS)
def test_a_search_finds_what_looking_by_hand_finds(reader, rows, pick):
    places, kept = rows
    slugs = {str(number): place.service.slug for number, place in enumerate(places)}
    terms = [f"verdict:{','.join(sorted(pick['verdict']))}"] if pick["verdict"] else []
    terms += [f"code:{','.join(sorted(pick['code']))}"] if pick["code"] else []
    terms += [f"-code:{one}" for one in pick["not_code"]]
    terms += [f"service:{slugs[pick['place']]}"] if pick["place"] else []

    log = gate_log(reader, " ".join(terms), now=timezone.now())

    by_hand = [
        one
        for one, verdict, codes, place in reversed(kept)
        if (not pick["verdict"] or verdict.lower() in pick["verdict"])
        and (not pick["code"] or codes & pick["code"])
        and not codes & pick["not_code"]
        and pick["place"] in {"", str(place)}
    ]
    assert not log.problems
    assert [str(line.asked.id) for line in log.lines] == by_hand


def test_rule_that_found_two_things_is_counted_once():
    found = [
        {"rule": "calendar", "effect": effect, "code": code, "message": "."} for effect, code in (("BLOCK", "held"), ("WARN", "frozen"))
    ]

    assert counted_rules(judged_rules(found, ["lock", "free"])) == "3 judged: 1 in the way, 2 passed"
