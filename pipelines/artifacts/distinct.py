"""How many distinct values there are, in memory that doesn't grow with their length."""

import hashlib
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_BYTES = 16  # of a digest: among 10**12 values two have one digest with a probability of 10**-15


def digest(value: Any) -> bytes:
    """The digest of what gives its bytes."""
    return hashlib.blake2b(value, digest_size=_BYTES).digest()


class Distinct:
    """Counts distinct values by their digests, which take 16 bytes a value."""

    def __init__(self) -> None:
        self._digests = bytearray()

    def add(self, values: Iterable[Any]) -> None:
        """Count in some values that give their bytes, such as the rows of a matrix."""
        self._digests += b"".join(map(digest, values))

    def count(self) -> int:
        """How many were distinct."""
        rows = len(self._digests) // _BYTES
        digests = pa.Array.from_buffers(pa.binary(_BYTES), rows, [None, pa.py_buffer(self._digests)])
        count: int = pc.count_distinct(digests).as_py()
        return count
