"""What consistent hashing knows a request by: the hash of a header, a cookie, a query parameter or the sender.

It is found once for each request key and each thing to hash.  A request without it goes anywhere (Envoy).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.compiled import RequestKeys
from skyedge.layers.mesh.hashing import xxhash64
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Caller, HashKey, LoadBalancing
from skyedge.layers.mesh.rows import Indices, grown

UNKNOWN, FOUND, ABSENT = range(3)
FORWARDED_FOR = "x-forwarded-for"
NO_HASH_KEY = HashKey()


class HashedKeys:
    """Hashes of request keys.

    Args:
        caller: who sends them.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._hash_keys: list[HashKey] = []
        self._of_cluster: dict[int, int] = {}
        self._columns: list[tuple[NDArray[np.uint64], NDArray[np.int8]]] = []

    def add(self, cluster: int, said: LoadBalancing | None) -> None:
        """A cluster that hashes."""
        hash_key = (said.hash_key if said is not None else None) or NO_HASH_KEY
        if hash_key not in self._hash_keys:
            self._hash_keys.append(hash_key)
            self._columns.append((np.zeros(0, np.uint64), np.zeros(0, np.int8)))
        self._of_cluster[cluster] = self._hash_keys.index(hash_key)

    def hashes(self, keys: Indices, clusters: Indices, draws: NDArray[np.float64], known: RequestKeys) -> NDArray[np.uint64]:
        """The hash of each request, (n,), by what its cluster hashes; its draw where it has nothing of the kind."""
        result = (draws * 2.0**64).astype(np.uint64)
        found, places = np.unique(clusters, return_inverse=True)
        numbers = np.array([self._of_cluster[cluster] for cluster in found.tolist()], np.intp)[places]
        for number in np.unique(numbers).tolist():
            mine = np.flatnonzero(numbers == number)
            values, state = self._known(number, keys[mine], known)
            there = state[keys[mine]] == FOUND
            result[mine[there]] = values[keys[mine[there]]]
        return result

    def _known(self, number: int, keys: Indices, known: RequestKeys) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
        values, state = self._columns[number]
        values, state = grown(values, len(known.known)), grown(state, len(known.known))
        for key in np.unique(keys[state[keys] == UNKNOWN]).tolist():
            text = hashed_text(self._hash_keys[number], known.known[key].request, self._caller)
            state[key] = ABSENT if text is None else FOUND
            values[key] = 0 if text is None else xxhash64(text)
        self._columns[number] = values, state
        return values, state


def hashed_text(hash_key: HashKey, request: HttpRequest, caller: Caller) -> str | None:
    """The text that is hashed; None if the request has none.

    The sender is the first address that a gateway was told of, or else the caller itself.
    """
    if hash_key.header:
        return request.header(hash_key.header)
    if hash_key.query_parameter:
        return request.query().get(hash_key.query_parameter)
    if hash_key.cookie:
        pairs = (pair.strip().partition("=") for pair in (request.header("cookie") or "").split(";"))
        return next((value for name, _, value in pairs if name == hash_key.cookie), None)
    if hash_key.source_address:
        forwarded = (request.header(FORWARDED_FOR) or "").partition(",")[0].strip()
        return forwarded or caller.name or None
    return None
