"""What was explained before explanations could lapse: the newest word on a version holds, the others do not."""

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from apps.deployments.models import Undeclared
from tests.conftest import NOW
from tests.factories.catalog import make_target

BEFORE, AFTER = [("deployments", "0003_external")], [("deployments", "0004_explanations_hold")]


def test_explanations_of_before_hold_by_their_newest(own_database):
    target, owner = make_target(), connections["owner"]
    executor = MigrationExecutor(owner)
    executor.migrate(BEFORE)
    rows = executor.loader.project_state(BEFORE).apps.get_model("deployments", "Undeclared").objects.using("owner")
    settled = {"settled_at": NOW, "settled_by": "SYSTEM:test"}
    for commit, more in (
        ("older", {"outcome": "EXPLAINED", **settled}),
        ("older", {"outcome": "EXPLAINED", **settled}),
        ("asked", {"outcome": "EXPLAINED", **settled}),
        ("asked", {}),
        ("alone", {"outcome": "EXPLAINED", **settled}),
        ("gone", {"outcome": "GONE", **settled}),
    ):
        seen = {"source": "probe", "seen_at": NOW, "seen_by": "SYSTEM:test", "last_seen_at": NOW}
        rows.create(target_id=target.pk, label=commit, identities=[f"git:{commit}"], **seen, **more)

    MigrationExecutor(owner).migrate(AFTER)

    found = Undeclared.objects.order_by("pk")
    assert [(one.label, one.lapsed_at) for one in found if one.outcome == "EXPLAINED"] == [
        ("older", NOW), ("older", None), ("asked", NOW), ("alone", None)
    ]  # fmt: skip
    assert {tuple(one.sources) for one in found} == {("probe",)}
