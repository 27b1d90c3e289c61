"""Connection pools, and the limits at which they refuse: circuits that really break (Envoy).

One proxy has one pool for each cluster (a service, or a subset of it); connections are to single hosts, limits are the
cluster's.  A request takes a connection that is ready, else it waits for one.  HTTP/1.1 carries one request at a time on a
connection, HTTP/2 many.  A pool owns no clock: it says that a connection has to be opened, and is told when that is done.

Three rules of Envoy surprise.  A host without any connection may always open one, whatever the limit, so that no host
starves; a limit on connections therefore refuses nobody, it makes requests wait, and the limit on waiting refuses.  A
connection that cannot be opened fails everything that waits for its host.  And a refusal is never tried again.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from skyedge.layers.mesh.objects import ConnectionLimits

ENVOY_LIMITS = ConnectionLimits(max_connections=1024, max_pending_requests=1024, max_requests=1024, max_retries=3)
"""What Envoy does by itself; Istio tells it 2**32 - 1 of each."""

Ticket = TypeVar("Ticket")


class Verdict(Enum):
    """What a pool says to a request."""

    GO = "go"
    WAIT = "wait"
    OVERFLOW = "overflow"


class Connection:
    """One connection: how many requests it has carried, how many it carries, and whether it takes another."""

    __slots__ = ("carries", "served", "spent")

    def __init__(self) -> None:
        self.served = 0
        self.carries = 0
        self.spent = False


class Asked(NamedTuple):
    """The answer to a request: the connection that it goes by, and whether one more has to be opened."""

    verdict: Verdict
    connection: Connection | None = None
    opens: bool = False


class Moved(NamedTuple, Generic[Ticket]):
    """What a change sets in motion.

    Attributes:
        go: requests that waited, each with its connection.
        overflow: requests that waited and are refused now.
        opens: whether one more connection has to be opened.
    """

    go: tuple[tuple[Ticket, Connection], ...] = ()
    overflow: tuple[Ticket, ...] = ()
    opens: bool = False


class _HostPool(Generic[Ticket]):
    __slots__ = ("connecting", "open", "ready", "waiting")

    def __init__(self) -> None:
        self.ready: list[Connection] = []
        self.connecting = 0
        self.open: set[Connection] = set()
        self.waiting: deque[Ticket] = deque()


_WAIT, _WAIT_AND_OPEN, _OVERFLOW = Asked(Verdict.WAIT), Asked(Verdict.WAIT, None, True), Asked(Verdict.OVERFLOW)
_NOTHING: Moved[object] = Moved()


class ConnectionPool(Generic[Ticket]):
    """The connections of one proxy to the hosts of one cluster.

    Args:
        limits: at which it refuses.
        http2: whether a connection carries many requests at once.

    Attributes:
        connections: open or being opened.
        opened: connections that were ever begun.
        pending: requests that wait for a connection.
        requests: requests on a connection.
    """

    def __init__(self, limits: ConnectionLimits, *, http2: bool = False) -> None:
        self.limits = limits
        self.http2 = http2
        self.connections = self.opened = self.pending = self.requests = 0
        self._hosts: dict[int, _HostPool[Ticket]] = {}

    def ask(self, host: int, ticket: Ticket) -> Asked:
        """Whether a request goes, waits or is refused."""
        pool = self._hosts.get(host)
        if pool is None:
            pool = self._hosts[host] = _HostPool()
        if pool.ready:
            if self.requests >= self.limits.max_requests:
                return _OVERFLOW
            return Asked(Verdict.GO, self._attached(pool))
        if self.pending >= self.limits.max_pending_requests:
            return _OVERFLOW
        pool.waiting.append(ticket)
        self.pending += 1
        return _WAIT_AND_OPEN if self._opens(pool) else _WAIT

    def connected(self, host: int) -> Moved[Ticket]:
        """A connection is up."""
        pool = self._hosts[host]
        pool.connecting -= 1
        connection = Connection()
        pool.open.add(connection)
        pool.ready.append(connection)
        return self._served(pool)

    def connect_failed(self, host: int) -> tuple[Ticket, ...]:
        """A connection cannot be opened; who fails with it."""
        pool = self._hosts[host]
        pool.connecting -= 1
        self.connections -= 1
        failed = tuple(pool.waiting)
        self.pending -= len(failed)
        pool.waiting.clear()
        return failed

    def finished(self, host: int, connection: Connection, *, reset: bool = False) -> Moved[Ticket]:
        """A request is over; ``reset`` if it was cut off, which costs HTTP/1.1 the connection."""
        pool = self._hosts[host]
        self.requests -= 1
        connection.carries -= 1
        if not self.http2:
            if not (reset or connection.spent):
                pool.ready.append(connection)
                return self._served(pool) if pool.waiting else _NOTHING  # type: ignore[return-value]
        elif not connection.spent or connection.carries:
            return _NOTHING  # type: ignore[return-value]
        pool.open.remove(connection)
        self.connections -= 1
        return Moved(opens=bool(pool.waiting) and self._opens(pool))

    def abandoned(self, host: int, ticket: Ticket) -> None:
        """A request waits no longer."""
        self._hosts[host].waiting.remove(ticket)
        self.pending -= 1

    def is_open(self, host: int) -> bool:
        """Whether a connection to a host is up, in use or idle."""
        pool = self._hosts.get(host)
        return pool is not None and bool(pool.open)

    def drain(self, host: int) -> None:
        """A host asks its connections to leave: idle ones are closed, a busy one with its last answer.

        One that is in the making goes to whoever listens then.
        """
        pool = self._hosts.get(host)
        if pool is None:
            return
        pool.ready.clear()
        idle = [connection for connection in pool.open if not connection.carries]
        pool.open.difference_update(idle)
        self.connections -= len(idle)
        for connection in pool.open:
            connection.spent = True

    def _opens(self, pool: _HostPool[Ticket]) -> bool:
        # One connection in the making serves one request of HTTP/1.1, and all of HTTP/2.
        if pool.connecting and (self.http2 or pool.connecting >= len(pool.waiting)):
            return False
        if self.connections >= self.limits.max_connections and (pool.open or pool.connecting):
            return False
        pool.connecting += 1
        self.connections += 1
        self.opened += 1
        return True

    def _served(self, pool: _HostPool[Ticket]) -> Moved[Ticket]:
        go: list[tuple[Ticket, Connection]] = []
        overflow: list[Ticket] = []
        while pool.waiting and pool.ready:
            ticket = pool.waiting.popleft()
            self.pending -= 1
            if self.requests >= self.limits.max_requests:
                overflow.append(ticket)
            else:
                go.append((ticket, self._attached(pool)))
        return Moved(tuple(go), tuple(overflow), bool(pool.waiting) and self._opens(pool))

    def _attached(self, pool: _HostPool[Ticket]) -> Connection:
        connection = pool.ready[-1]
        connection.served += 1
        connection.carries += 1
        self.requests += 1
        most = self.limits.max_requests_per_connection
        connection.spent = 0 < most <= connection.served
        if connection.spent or not self.http2:
            pool.ready.pop()
        return connection
