"""The search grammar: what is read, what is refused with its cure, and that reading never raises and printing agrees with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.home.search.grammar import LONGEST, MOST_TERMS, Query, Term, parse, printed
from apps.home.search.terms import SPECS, Takes, words_of

# What people write, and what breaks a careless reader: quotes, blanks, minus, colons, half surrogates, turned writing.
PIECES = st.sampled_from(
    [
        "state:",
        "open",
        "-",
        '"',
        ",",
        ":",
        " ",
        "\t",
        "\u00a0",
        "\u202e",
        "\x00",
        "\ud800",
        ">=",
        "risk:",
        "é",
        "service:",
        "a-b",
        "@me",
        "CHG-7",
        "::",
    ]
)
ANYTHING = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join))


@given(ANYTHING)
def test_reading_never_raises_and_every_problem_names_term_and_cure(text):
    for problem in parse(text).problems:
        assert problem.term
        assert problem.message.endswith(".")
        assert problem.cure.endswith(".")


@given(ANYTHING)
def test_what_is_printed_is_read_as_the_same(text):
    query = Query(parse(text).terms)

    again = parse(printed(query))

    assert again == query or len(printed(query)) > LONGEST


VALUES = {
    Takes.NAME: st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12).filter(
        lambda text: text == text.strip() != ""
    ),
    Takes.PERSON: st.sampled_from(["@me", "bo@example.org", "Bo Owner", 'Bo "Bosun" Owner', "a,b", ">5"]),
    Takes.HEX: st.text("0123456789abcdef", min_size=7, max_size=64),
    Takes.DAY: st.sampled_from(["2026-11-20", "14d", "0d"]),
    Takes.NUMBER: st.integers(0, 9999).map(str),
}


@st.composite
def terms(draw):
    spec = draw(st.sampled_from(sorted(SPECS.values(), key=lambda one: one.key)))
    kind = st.sampled_from(spec.choices) if spec.takes is Takes.CHOICE else VALUES[spec.takes]
    values = tuple(draw(st.lists(kind, min_size=1, max_size=3, unique=True)))
    values = tuple(dict.fromkeys(value.lower() if value.lower() == "@me" else value for value in values))
    op = draw(st.sampled_from(["", ">=", "<=", ">", "<", "="])) if spec.takes is Takes.NUMBER else ""
    return Term(spec.key, values, op, draw(st.booleans()))


@given(st.lists(terms(), max_size=4))
def test_any_query_that_can_be_built_is_printed_and_read_back(made):
    query = Query(tuple(made))

    assert parse(printed(query)) == query or len(printed(query)) > LONGEST


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("state:in_review service:payments", [Term("state", ("in_review",)), Term("service", ("payments",))]),
        ("STATE:In-Review,draft", [Term("state", ("in_review", "draft"))]),
        ("risk:>=5", [Term("risk", ("5",), ">=")]),
        ("owner:@ME", [Term("owner", ("@me",))]),
        ('requester:"Bo Owner"', [Term("requester", ("Bo Owner",))]),
        ('-kind:emergency "free text" ferry', [Term("kind", ("emergency",), "", True), Term("", ("free text",)), Term("", ("ferry",))]),
        ('-"two words"', [Term("", ("two words",), "", True)]),
        ('say ""', [Term("", ("say",))]),
        ("CHG-1042", [Term("", ("CHG-1042",))]),
        ("   ", []),
    ],
)
def test_search_is_read(text, terms):
    assert list(parse(text).terms) == terms


@pytest.mark.parametrize(
    ("text", "term", "message", "cure"),
    [
        ("state:brewing", "state:brewing", "“brewing” is no state.", "Write one of open, ended, draft"),
        ("colour:red", "colour:red", "There is no term “colour:”.", "or put the words in quotation marks."),
        ("service:", "service:", "Nothing stands behind service:.", "Write short name of a service."),
        ("service:>5", "service:>5", "service: does not compare with >.", "Write service: and then"),
        ("commit:abc", "commit:abc", "“abc” is no beginning of a commit.", "Write 7 to 64 digits"),
        ("before:yesterday", "before:yesterday", "“yesterday” is no day.", "Write it like 2026-11-20"),
        ("after:2026-02-31", "after:2026-02-31", "“2026-02-31” is no day.", "Write it like 2026-11-20"),
        ("risk:>=many", "risk:>=many", "“many” is no number of points.", "Write it like risk:>=20."),
        ('title "not closed', '"not closed', "A quotation mark is opened and not closed.", 'Write a " at the end'),
        ('service:"not closed', '"not closed', "A quotation mark is opened and not closed.", 'Write a " at the end'),
        ("ferry -", "-", "A minus stands alone.", "right behind it"),
        ("***", "***", "“***” holds no letter and no digit.", "Write a word"),
        ("a\x00b", "U+0000", "The search holds a control character.", "Write it again without."),
        ("x" * (LONGEST + 1), "x" * 20 + "…", f"The search has {LONGEST + 1} characters.", f"Write at most {LONGEST}."),
        ("a " * (MOST_TERMS + 1), "a", f"The search has {MOST_TERMS + 1} terms.", f"Write at most {MOST_TERMS}."),
        (
            "label:" + ",".join(map(str, range(21))),
            "label:" + ",".join(map(str, range(21))),
            "label: lists 21 values.",
            "Write at most 20.",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_cure(text, term, message, cure):
    (problem,) = parse(text).problems

    assert problem.term == term
    assert problem.message == message
    assert cure in problem.cure


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state:open", ("state", "is open")),
        ("-state:in_review", ("state", "is not in review")),
        ("risk:>=20", ("risk", "is at least 20")),
        ("is:mine", ("it", "is yours")),
        ("-is:frozen", ("it", "is not stopped by a freeze")),
        ("before:14d", ("asked for before", "14d")),
        ("service:a,b", ("service", "is a or b")),
    ],
)
def test_term_is_read_back_in_words(text, said):
    (term,) = parse(text).terms

    assert words_of(SPECS[term.key], term.values, op=term.op, is_negated=term.is_negated) == said
