"""Three ways to the same root: the sealer's, the verifier's, and the recursive definition of RFC 6962."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import merkle, verifier

# From the tests of Certificate Transparency: leaves "", 00, 10, 2021, 3031, … and the root over the first n of them.
LEAVES = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def by_definition(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


@pytest.mark.parametrize("size", ROOTS)
def test_known_roots(size):
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]

    assert merkle.merkle_root(leaves).hex() == verifier.merkle_root(leaves).hex() == ROOTS[size]


@given(st.integers(min_value=0, max_value=3000), st.integers())
def test_all_ways_lead_to_the_same_root(size, seed):
    numbers = random.Random(seed)
    leaves = [numbers.randbytes(32) for _ in range(size)]

    assert merkle.merkle_root(leaves) == verifier.merkle_root(leaves) == by_definition(leaves)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=40, unique=True), st.data())
def test_any_leaf_changed_changes_the_root(bodies, data):
    leaves = [merkle.leaf_hash(body) for body in bodies]
    at = data.draw(st.integers(0, len(leaves) - 1))

    changed = [*leaves[:at], merkle.leaf_hash(bodies[at] + b"!"), *leaves[at + 1 :]]

    assert merkle.merkle_root(leaves) != merkle.merkle_root(changed)
