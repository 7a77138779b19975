"""Identities: full and immutable, or refused with the cure."""

import pytest

from apps.catalog.versions import Version, read_identities, read_identity_lines, read_identity_map
from apps.core.refusals import BadContent

COMMIT, DIGEST = "4f" * 20, "ab" * 32


def test_identities_are_sorted_small_and_once():
    assert read_identity_map({"sha256": [DIGEST.upper(), f"sha256:{DIGEST}"], "git": f" {COMMIT} "}) == (
        f"git:{COMMIT}",
        f"sha256:{DIGEST}",
    )


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("git", "main", "branch or tag moves"),
        ("git", "v1.2.3", "branch or tag moves"),
        ("git", COMMIT[:12], "short commit id"),
        ("git", COMMIT + "0", "branch or tag moves"),
        ("git", "\x00" * 40, "branch or tag moves"),
        ("git", "", "branch or tag moves"),
        ("sha256", COMMIT, "64 hexadecimal"),
        ("config", "x", "64 hexadecimal"),
        ("md5", "x", "git, sha256 or config"),
        ("\x00", "x", "git, sha256 or config"),
    ],
)
def test_what_may_mean_something_else_tomorrow_is_refused(kind, value, said):
    with pytest.raises(BadContent, match=said):
        read_identities([(kind, value)])


def test_one_commit_and_one_document_but_several_artifacts():
    assert len(read_identities([("sha256", DIGEST), ("sha256", "cd" * 32)])) == 2
    for kind in ("git", "config"):
        with pytest.raises(BadContent, match=f"one {kind} identity"):
            read_identities([(kind, DIGEST), (kind, "cd" * 32)])


def test_no_identity_is_refused_on_the_field():
    with pytest.raises(BadContent) as caught:
        read_identities([], "items.0.identities")

    assert [*caught.value.errors] == ["items.0.identities"]


def test_lines_are_read_with_or_without_the_kind():
    assert read_identity_lines(f"\n {COMMIT}\r\nSHA256:{DIGEST}\n") == (f"git:{COMMIT}", f"sha256:{DIGEST}")


def test_a_version_is_the_same_when_every_identity_is_there():
    version = Version("1.0", (f"git:{COMMIT}",))

    assert version.git == COMMIT
    assert Version("x", ()).git is None
    assert version.same_as([f"git:{COMMIT}", f"sha256:{DIGEST}"])
    assert not Version("1.0", (f"git:{COMMIT}", f"sha256:{DIGEST}")).same_as([f"git:{COMMIT}"])
    assert not Version("x", ()).same_as([f"git:{COMMIT}"])
