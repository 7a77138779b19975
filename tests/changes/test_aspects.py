"""What touched files say about a change: the whole table of rules, and what they must not take for something else."""

import pytest

from apps.changes.aspects import aspect_of, aspects_of
from apps.changes.content import Aspect

TABLE = {
    Aspect.DATA: [
        "shop/migrations/0004_prices.py",
        "db/migrate/20261120_add_prices.rb",
        "alembic/versions/3f2a_prices.py",
        "src/main/resources/flyway/V4__prices.sql",
        "Migrations/Prices.cs",
        "reports/nightly.SQL",
    ],
    Aspect.RUNTIME: [".python-version", "web/.nvmrc", "runtime.txt", ".tool-versions"],
    Aspect.INFRASTRUCTURE: [
        "network/main.tf",
        "network/prod.tfvars",
        "network/main.tf.json",
        "terraform/README.md",
        "deploy/playbook.yml",
        "ansible/roles/web/tasks/main.yml",
        "site.yml",
        "compose.yaml",
        "docker-compose.override.yml",
        "helm/web/values.yaml",
    ],
    Aspect.CONFIGURATION: [
        ".env",
        ".env.production",
        "etc/web.conf",
        "app/logging.ini",
        "config/features.json",
        "application.properties",
        "deploy/limits.toml",
        "settings/live.yml",
    ],
    Aspect.CODE: [
        "shop/cart.py",
        "shop/migrations/__init__.py",
        "tests/migrations/test_prices.py",
        "Dockerfile",
        "pyproject.toml",
        "package.json",
        "pnpm-lock.yaml",
        ".github/workflows/build.yml",
        "tests/conf/odd.yaml",
        "docs/mkdocs.yml",
        "README.md",
        "sqlite.py",
        "environment.py",
    ],
}


@pytest.mark.parametrize(("path", "aspect"), sorted((path, aspect) for aspect, paths in TABLE.items() for path in paths))
def test_aspect_of_each_kind_of_file(path, aspect):
    assert aspect_of(path) is aspect


def test_a_new_base_image_is_runtime_and_another_line_of_a_dockerfile_is_code():
    assert aspect_of("web/Dockerfile", new_image=True) is Aspect.RUNTIME
    assert aspect_of("web/Dockerfile", new_image=False) is Aspect.CODE


def test_aspects_of_a_change_name_the_files_that_led_to_them():
    found = aspects_of([("a.py", False), ("b.py", False), ("c.py", False), ("d.py", False), ("main.tf", False)])

    assert [(one.aspect, one.because, one.count) for one in found] == [
        (Aspect.CODE, ("a.py", "b.py", "c.py"), 4),
        (Aspect.INFRASTRUCTURE, ("main.tf",), 1),
    ]
    assert aspects_of([]) == ()
