"""What is vendored is what the manifest says, and no template breaks the content policy."""

import hashlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from apps.core.badges import BADGES
from apps.core.icons import SPRITE, icon_names
from apps.core.parts import PART_ICONS

ROOT = Path(__file__).resolve().parents[2]
STATIC, TEMPLATES = ROOT / "static", ROOT / "templates"
VENDOR = STATIC / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())["files"]
PAGES = sorted(TEMPLATES.rglob("*.html"))
SHEETS = sorted((STATIC / "css").glob("*.css"))
SCRIPTS = sorted((STATIC / "js").glob("*.js"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_a_vendored_file_has_the_bytes_of_the_manifest_and_a_licence(entry):
    content = (VENDOR / entry["file"]).read_bytes()

    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert (VENDOR / entry["licence_file"]).stat().st_size > 100
    assert entry["name"]
    assert entry["version"]


def test_every_vendored_file_is_in_the_manifest():
    present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}

    assert present == {entry["file"] for entry in MANIFEST} | {"manifest.json"}


def test_no_vendored_or_own_file_points_to_a_source_map():
    readable = [*VENDOR.rglob("*.js"), *VENDOR.rglob("*.css"), *SHEETS, *SCRIPTS]

    assert [name_of(path) for path in readable if "sourceMappingURL" in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("template", PAGES, ids=name_of)
def test_a_template_has_no_inline_style_script_or_handler(template):
    source = template.read_text(encoding="utf-8")
    source = re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL)

    assert not re.search(r"<style\b", source, re.IGNORECASE)
    assert not re.search(r"\sstyle\s*=", source, re.IGNORECASE)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", source, re.IGNORECASE)
    assert not re.search(r"javascript:", source, re.IGNORECASE)
    assert not re.search(r"hx-(on|vals)\b[^=]*=\s*[\"']?(js|javascript)?:", source, re.IGNORECASE)
    for script in re.findall(r"<script\b([^>]*)>(.*?)</script>", source, re.DOTALL | re.IGNORECASE):
        attributes, body = script
        assert "src=" in attributes
        assert not body.strip()
    assert "http://" not in source.replace("http://www.w3.org", "")
    assert len(template.read_text().splitlines()) <= 120


@pytest.mark.parametrize("template", PAGES, ids=name_of)
def test_every_icon_a_template_names_is_in_the_sprite(template):
    named = set(re.findall(r"\{%\s*icon\s+\"([^\"]+)\"", template.read_text()))
    named |= set(re.findall(r"\bicon=\"([^\"]+)\"", template.read_text()))
    named |= set(re.findall(r"default:\"([^\"]+)\"\s*%\}<span>", template.read_text()))

    assert named - icon_names() == set()


@pytest.mark.parametrize("template", PAGES, ids=name_of)
def test_every_file_and_component_a_template_names_exists(template):
    source = template.read_text()

    for path in re.findall(r"\{%\s*static\s+['\"]([^'\"]+)['\"]", source):
        assert (STATIC / path).is_file(), path
    for path in re.findall(r"\{%\s*include\s+\"([^\"]+)\"", source):
        assert (TEMPLATES / path).is_file(), path
    for names in re.findall(r"\{%\s*css\s+([^%]+)%\}", source):
        for name in re.findall(r"\"([^\"]+)\"", names):
            assert (STATIC / "css" / f"{name}.css").is_file(), name


@pytest.mark.parametrize("component", sorted((TEMPLATES / "components").glob("*.html")), ids=name_of)
def test_a_component_says_which_variables_it_takes(component):
    first = component.read_text().splitlines()[0]

    assert re.fullmatch(r"\{# .*Variables: .+ #\}", first)


def test_the_sprite_is_well_formed_and_its_names_are_unique():
    symbols = ET.parse(SPRITE).getroot().findall("{http://www.w3.org/2000/svg}symbol")
    names = [symbol.attrib["id"] for symbol in symbols]

    assert len(names) == len(set(names)) == len(icon_names())
    assert all(len(symbol) for symbol in symbols)


def test_every_badge_and_part_has_an_icon_of_the_sprite_and_a_known_tone():
    tones = {"go", "wait", "stop", "freeze", "unknown", "ink", "mute"}
    badges = [badge for family in BADGES.values() for badge in family.values()]

    assert {badge.icon for badge in badges} | set(PART_ICONS.values()) <= icon_names()
    assert {badge.tone for badge in badges} <= tones
    assert all(badge.word for badge in badges)


@pytest.mark.parametrize("sheet", SHEETS, ids=name_of)
def test_a_style_sheet_loads_nothing_from_elsewhere(sheet):
    source = sheet.read_text(encoding="utf-8")

    assert "@import" not in source
    for address in re.findall(r"url\(\"?([^\")]+)", source):
        assert (sheet.parent / address).resolve().is_file(), address
    assert source.count("{") == source.count("}")


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_a_script_is_one_small_behaviour_without_eval(script):
    source = script.read_text(encoding="utf-8")

    assert len(source.splitlines()) <= 60
    assert source.startswith("// ")
    assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write|\.style\b", source)
    assert not re.search(r"^import ", source, re.MULTILINE)  # hashed names would break a path written here
