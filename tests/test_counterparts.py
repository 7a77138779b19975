"""The repository looks at itself as a whole: nothing without its counterpart, nothing that nobody uses."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import allauth
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from factory.django import DjangoModelFactory

from apps.audit.lines import LINES
from apps.audit.vocabulary import Event
from apps.core.badges import BADGES
from apps.core.icons import icon_names
from apps.core.statecharts import tables_of
from apps.gate.documents import rules_page
from tests.test_repository import ORDER, OURS, ROOT, TEMPLATES, short

APPS = [f"apps.{label}" for label in ORDER]
MODULES = sorted(path for path in (ROOT / "apps").rglob("*.py") if "migrations" not in path.parts and path.name != "__init__.py")
FACTORIES = [import_module(f"tests.factories.{path.stem}") for path in sorted((ROOT / "tests" / "factories").glob("[a-z]*.py"))]
TESTS = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
# Rows that only the product itself can write: the app role may not, or nothing is left of it to check.
WRITTEN_BY_THE_PRODUCT = {
    "audit.Entry": "make_entry goes through record()",
    "audit.Detail": "record() writes it beside its entry",
    "audit.Seal": "the sealer's role writes it",
    "audit.Place": "the sealer's role writes it",
    "audit.Installation": "a single row, made by the migration",
}
# How a badge family is called where the name of the app does not say it.
FAMILIES = {"Change": "change", "Leg": "leg", "Deployment": "deployment", "Incident": "incident", "Notification": "notification"}
# Modules that nothing names because something else runs them whole.
RUN_WHOLE = {
    "apps": "Django loads it",
    "urls": "tests/doors walks over every address",
    "api_urls": "tests/doors walks over every address",
    "sign_in_urls": "tests/doors walks over every address",
    "views": "tests/doors opens every page",
    "api": "tests/doors asks every operation",
    "schema": "tests/doors reads the document",
    "forms": "tests/doors sends every form",
    "models": "every test stands on them",
    "demo": ".ci/run plays the story",
    "play_story": ".ci/run plays the story",
}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


# Counterparts


def made_models() -> set[str]:
    """What factories make: by a class, or by a function that says so."""
    found = set()
    for module in FACTORIES:
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, DjangoModelFactory) and thing is not DjangoModelFactory:
                found.add(thing._meta.model._meta.label)
            kind = getattr(thing, "__annotations__", {}).get("return")
            if getattr(thing, "__name__", "").startswith("make_") and isinstance(kind, type) and issubclass(kind, models.Model):
                found.add(kind._meta.label)
    return found


@pytest.mark.parametrize("model", [model for model in OURS if model._meta.managed], ids=lambda model: model._meta.label)
def test_every_model_has_a_factory(model: type[models.Model]) -> None:
    assert model._meta.label in made_models() | WRITTEN_BY_THE_PRODUCT.keys()


def test_no_model_is_excused_that_has_a_factory() -> None:
    assert not made_models() & WRITTEN_BY_THE_PRODUCT.keys()


def test_every_event_has_a_sentence_with_an_icon() -> None:
    assert LINES.keys() == set(Event)
    assert {line.icon for line in LINES.values()} <= icon_names()


def recorded() -> set[str]:
    """Events that some module of an app hands on; naming one to compare with it is not recording."""
    found: set[str] = set()
    for path in MODULES:
        if path.name in {"vocabulary.py", "lines.py", "running_lines.py", "sentences.py"}:
            continue
        tree = parsed(path)
        compared = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "Event"
                and id(node) not in compared
            ):
                found.add(node.attr)
    return found


def test_every_event_is_recorded_somewhere() -> None:
    assert {event.name for event in Event} - recorded() == set()


@pytest.mark.parametrize("app", APPS)
def test_every_state_has_an_owner_and_a_badge(app: str) -> None:
    for table in tables_of(app):
        assert table.owners.keys() == table.moves.keys() == set(type(next(iter(table.moves))))
        assert {state.value for state in table.moves} <= BADGES[FAMILIES[table.title]].keys()


@pytest.mark.parametrize("app", [app for app in APPS if find_spec(f"{app}.states")])
def test_every_state_machine_is_a_table(app: str) -> None:
    module = import_module(f"{app}.states")
    machines = {
        thing for name, thing in vars(module).items() if isinstance(thing, type) and issubclass(thing, StrEnum) and name.endswith("State")
    }

    assert machines == {type(next(iter(table.moves))) for table in tables_of(app)}


def test_generated_pages_are_fresh() -> None:
    call_command("write_states", "--check")
    assert (ROOT / "docs" / "gate-rules.md").read_text() == rules_page()


def pairs(model: type[models.Model]) -> Iterator[tuple[models.Field, models.Field]]:
    """The columns that say when and by whom, where the moment may be missing."""
    fields = {field.name: field for field in model._meta.concrete_fields}
    for name, field in fields.items():
        if name.endswith("_at") and field.null and (by := fields.get(f"{name.removesuffix('_at')}_by")):
            yield field, by


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_a_moment_that_may_be_missing_is_tied_to_who_did_it(model: type[models.Model]) -> None:
    checks = [str(rule.condition) for rule in model._meta.constraints if isinstance(rule, models.CheckConstraint)]

    for moment, by in pairs(model):
        assert any(moment.name in check and f"'{by.name}" in check for check in checks), f"{moment.name} and {by.name} are not tied"


def test_every_verb_has_a_name_of_its_own() -> None:
    """A verb is a function under `actions` that @verb wraps; two apps never mean different things by one name."""
    homes = defaultdict(list)
    for path in (ROOT / "apps").rglob("*.py"):
        if "actions" in path.with_suffix("").parts:
            for node in parsed(path).body:
                if isinstance(node, ast.FunctionDef) and any(ast.unparse(one) == "verb" for one in node.decorator_list):
                    homes[node.name].append(short(path))

    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}
    assert [name for name in homes if "_" not in name] == [], "a verb says what it does to what"


# Tests


def is_exercised(path: Path) -> bool:
    """Whether a test is named after the module or its package, imports it, or runs it by its command."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    dotted, package, app = ".".join(parts), ".".join(parts[:-1]), parts[1]
    named = set(parts[2:])
    if "commands" in named:
        return f'"{path.stem}"' in TESTS
    if any((ROOT / "tests" / app).glob(f"test_{name}*.py") for name in named):
        return True
    imported = re.search(
        rf"from {re.escape(dotted)} import|from {re.escape(package)} import .*\b{path.stem}\b|\"{re.escape(dotted)}[.\"]", TESTS
    )
    reached_through_package = len(parts) > 3 and f"from {package} import" in TESTS
    return bool(imported or reached_through_package)


def needs_a_test(path: Path) -> bool:
    """Whether it does something of its own that nothing else runs whole."""
    if path.stem in RUN_WHOLE or RUN_WHOLE.keys() & set(path.relative_to(ROOT / "apps").parts):
        return False
    return any(isinstance(node, (ast.ClassDef, ast.FunctionDef)) for node in parsed(path).body)


@pytest.mark.parametrize("path", [path for path in MODULES if needs_a_test(path)], ids=short)
def test_every_module_is_exercised_by_a_test(path: Path) -> None:
    assert is_exercised(path), "no test is named after it and none imports it"


# Decisions


DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name[:4] for path in DECISIONS]

    assert all(number.isdecimal() for number in numbers)
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_decision_says_in_its_title_what_was_decided(path: Path) -> None:
    heading = re.fullmatch(r"# (\d+)\.? (.+)", path.read_text().splitlines()[0])

    assert heading
    number, title = heading.groups()
    assert int(number) == int(path.name[:4])
    assert len(title.split()) >= 3, "a sentence, not a topic"
    assert not title.endswith((".", "?"))
    assert title.split()[0] not in {"What", "Who", "How", "Which", "When", "Where"}, "an answer, not a question"
    assert len(path.read_text().splitlines()) > 2, "a decision has its reasons"


# Nothing that nobody uses

PYTHON = "\n".join(path.read_text() for path in MODULES) + (ROOT / "changecontrol" / "settings.py").read_text()
MARKUP = "\n".join(path.read_text() for path in [*TEMPLATES, *(ROOT / "templates").rglob("*.txt")])
BY_STATUS = {"400.html", "403.html", "403_csrf.html", "404.html", "429.html", "500.html"}  # Django and allauth look for these


def is_used(name: str) -> bool:
    """Whether something draws a template: a view, another template, a library that looks for it."""
    start, _, page = name.partition("/")
    spelled = f'"{name}"' in PYTHON or f'"{name}"' in MARKUP or f"'{name}'" in MARKUP or name in BY_STATUS
    computed = bool(page) and f'f"{start}/{{' in PYTHON
    return spelled or computed or (start in {"account", "allauth", "mfa"} and replaces(name))


def replaces(name: str) -> bool:
    """Whether it stands in the place of a template of allauth."""
    inside = Path(allauth.__file__).parent
    stem = re.sub(r"_(message|subject)\.(txt|html)$", "", name)
    return any((inside / folder / name).is_file() for folder in ("templates", "account/templates")) or f'"{stem}"' in ALLAUTH


ALLAUTH = "\n".join(path.read_text() for path in (Path(allauth.__file__).parent / "account").rglob("*.py"))


@pytest.mark.parametrize("path", TEMPLATES, ids=short)
def test_every_template_is_drawn_by_something(path: Path) -> None:
    assert is_used(str(path.relative_to(ROOT / "templates")))


@pytest.mark.parametrize("path", sorted((ROOT / "static").rglob("*.css")) + sorted((ROOT / "static").rglob("*.js")), ids=short)
def test_every_sheet_and_script_is_linked(path: Path) -> None:
    name = str(path.relative_to(ROOT / "static"))
    linked = set(re.findall(r"static ['\"]([^'\"]+)['\"]", MARKUP))
    linked |= {
        f"css/{sheet}.css" for names in re.findall(r"\{%\s*css\s+([^%]+)%\}", MARKUP) for sheet in re.findall(r"\"([^\"]+)\"", names)
    }

    assert name in linked or f'"{name}"' in PYTHON


def icons_in_python() -> Iterator[tuple[str, str]]:
    """What is given as an icon: by that name, or as the default of a field of that name."""
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.keyword) and node.arg == "icon" and isinstance(node.value, ast.Constant) and node.value.value:
                yield short(path), str(node.value.value)


def test_every_icon_that_python_names_is_in_the_sprite() -> None:
    assert [(where, name) for where, name in icons_in_python() if name not in icon_names()] == []


def test_every_app_is_in_the_order() -> None:
    assert {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")} == set(ORDER)
