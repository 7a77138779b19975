"""The repository looks at itself: what no single test of a module can see."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
from django.apps import apps

ROOT = Path(__file__).resolve().parent.parent
ORDER = [
    "core",
    "audit",
    "accounts",
    "catalog",
    "changes",
    "schedule",
    "approvals",
    "gate",
    "deployments",
    "incidents",
    "notifications",
    "home",
]
OURS = [model for label in ORDER for model in apps.get_app_config(label).get_models()]
SOURCES = sorted(
    path
    for top in ("apps", "changecontrol", "tests", "benchmarks")
    for path in (ROOT / top).rglob("*.py")
    if "migrations" not in path.parts
)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
FORBIDDEN_NAMES = {"utils", "helpers", "services", "managers", "constants", "signals", "misc", "common"}
FORBIDDEN_SUFFIXES = ("View", "Form", "Service", "Manager")
ALLOWED_CLASSES = {"PersonManager", "Service", "ThreadingHTTPServer"}
# Copied and run alone, so they cannot become packages.
ONE_FILE = {"apps/audit/verifier.py": 700, "apps/gate/client/ccgate.py": 1060}


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_foreign_keys_point_down(model):
    for field in model._meta.get_fields():
        if field.is_relation and field.many_to_one and field.concrete:
            there = field.related_model._meta.app_label
            if there in ORDER:
                assert ORDER.index(there) <= ORDER.index(model._meta.app_label), f"{field} points up"
            if there in ORDER and there != model._meta.app_label:
                assert field.remote_field.related_name == "+", f"{field} is seen from below"


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_models_have_no_default_ordering(model):
    assert not model._meta.ordering


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_source_keeps_the_budgets(path):
    text = path.read_text()
    tree = ast.parse(text)
    limit = 500 if path.is_relative_to(ROOT / "tests") else ONE_FILE.get(short(path), 300)

    assert text.count("\n") <= limit, "split the module"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not path.is_relative_to(ROOT / "tests"):
            assert (node.end_lineno or 0) - node.lineno < 40, f"{node.name} is too long"
        if isinstance(node, ast.ExceptHandler):
            assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), f"line {node.lineno} swallows an exception"
        if isinstance(node, ast.ClassDef) and node.name not in ALLOWED_CLASSES and not path.is_relative_to(ROOT / "tests"):
            assert not node.name.endswith(FORBIDDEN_SUFFIXES), f"{node.name}: say what it is"
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", [path for path in SOURCES if path.read_text().strip()], ids=short)
def test_source_says_what_belongs_in_it(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))

    assert docstring, "open the module with one to three lines"


@pytest.mark.parametrize("path", TEMPLATES, ids=short)
def test_templates_are_short_and_free_of_inline_code(path):
    text = path.read_text()

    assert text.count("\n") <= 120
    markup = re.sub(r"\{[%#{].*?[%#}]\}", "", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", markup)


def test_repository_speaks_of_the_product_alone():
    # Whose machine it was written on, and where its packages came from, is nobody's business.
    words = re.compile(r"(?<![\w.])/(home|root|work|Users)/\w|index-url|\bTODO\b|lorem ipsum", re.IGNORECASE)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [ROOT / name for name in listed.stdout.splitlines() if "vendor/" not in name and name != "tests/test_repository.py"]
    hits = [short(path) for path in files if path.is_file() and words.search(path.read_text(errors="ignore"))]

    assert not hits
