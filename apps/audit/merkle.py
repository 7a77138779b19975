"""The Merkle tree of RFC 6962 over entries. The verifier has a second implementation of its own, on purpose."""

import hashlib
from collections.abc import Sequence


def leaf_hash(body: bytes) -> bytes:
    """The hash of a leaf: SHA-256 of 0x00 and the entry's bytes."""
    return hashlib.sha256(b"\x00" + body).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes: pairs joined with 0x01, level by level; the odd one out goes up as it is."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        joined = [hashlib.sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        level = joined if len(level) % 2 == 0 else [*joined, level[-1]]
    return level[0]


def head_hash(previous_head: bytes, seal_body: bytes) -> bytes:
    """The head that binds a seal to all seals before it."""
    return hashlib.sha256(b"\x02" + previous_head + seal_body).digest()
