import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.mesh.objects import UNLIMITED, ConnectionLimits
from skyedge.layers.mesh.traffic.connections import ENVOY_LIMITS, ConnectionPool, Verdict


def test_limits_are_those_of_the_peers():
    assert ConnectionLimits(1024, 1024, 1024, 3) == ENVOY_LIMITS
    assert ConnectionLimits() == ConnectionLimits(UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED)
    assert UNLIMITED == 4294967295


def test_with_one_connection_one_request_goes_one_waits_and_the_next_is_refused():
    pool = ConnectionPool(ConnectionLimits(max_connections=1, max_pending_requests=1))
    first = pool.ask(0, "a")
    assert (first.verdict, first.opens) == (Verdict.WAIT, True)
    ((ticket, connection),) = pool.connected(0).go
    assert ticket == "a"
    second = pool.ask(0, "b")
    assert (second.verdict, second.opens) == (Verdict.WAIT, False)
    assert pool.ask(0, "c").verdict is Verdict.OVERFLOW
    assert pool.finished(0, connection).go == (("b", connection),)


def test_a_host_without_a_connection_opens_one_whatever_the_limit():
    pool = ConnectionPool(ConnectionLimits(max_connections=1))
    assert pool.ask(0, "a").opens
    assert pool.ask(1, "b").opens
    assert not pool.ask(1, "c").opens


@pytest.mark.parametrize("http2", [False, True])
def test_a_connection_closes_after_so_many_requests(http2):
    pool = ConnectionPool(ConnectionLimits(max_requests_per_connection=2), http2=http2)
    opened = 0
    for ticket in range(6):
        asked = pool.ask(0, ticket)
        if asked.verdict is Verdict.WAIT:
            opened += asked.opens
            ((_, connection),) = pool.connected(0).go
        else:
            connection = asked.connection
        pool.finished(0, connection)
    assert opened == 3
    assert pool.connections == 0


def test_http2_sends_all_on_one_connection_up_to_its_limit_on_requests():
    pool = ConnectionPool(ConnectionLimits(max_requests=2), http2=True)
    assert [pool.ask(0, ticket).opens for ticket in "abc"] == [True, False, False]
    moved = pool.connected(0)
    assert [ticket for ticket, _ in moved.go] == ["a", "b"]
    assert moved.overflow == ("c",)
    assert pool.connections == 1
    assert pool.ask(0, "d").verdict is Verdict.OVERFLOW


def test_a_request_that_is_cut_off_takes_its_connection_along_in_http1_only():
    for http2, left in ((False, 0), (True, 1)):
        pool = ConnectionPool(ConnectionLimits(), http2=http2)
        pool.ask(0, "a")
        ((_, connection),) = pool.connected(0).go
        pool.finished(0, connection, reset=True)
        assert pool.connections == left


def test_a_connection_that_fails_fails_all_that_wait_for_its_host():
    pool = ConnectionPool(ConnectionLimits())
    for ticket in "ab":
        pool.ask(0, ticket)
    pool.ask(1, "c")
    assert pool.connect_failed(0) == ("a", "b")
    assert pool.pending == 1


def test_a_host_that_is_drained_keeps_only_connections_in_use_and_those_only_until_they_are_free():
    pool = ConnectionPool(ConnectionLimits())
    for ticket in "ab":
        pool.ask(0, ticket)
    (_, idle), (_, busy) = *pool.connected(0).go, *pool.connected(0).go
    pool.finished(0, idle)
    pool.ask(1, "c")
    assert [pool.is_open(host) for host in (0, 1, 2)] == [True, False, False]
    pool.drain(0)
    assert pool.connections == 2  # one in use, and the other host's
    assert pool.ask(0, "d").opens
    pool.finished(0, busy)
    assert not pool.is_open(0)
    assert pool.connections == 2  # the new one, and the other host's
    pool.drain(0)  # one in the making is not touched
    assert [ticket for ticket, _ in pool.connected(0).go] == ["d"]
    assert pool.opened == 4
    pool.drain(7)  # nobody ever asked it


def test_http2_leaves_a_drained_connection_when_the_last_of_its_requests_is_over():
    pool = ConnectionPool(ConnectionLimits(), http2=True)
    for ticket in "ab":
        pool.ask(0, ticket)
    first, second = (connection for _, connection in pool.connected(0).go)
    assert first is second
    pool.drain(0)
    assert pool.ask(0, "c").opens
    pool.finished(0, first)
    assert pool.connections == 2
    pool.finished(0, second)
    assert pool.connections == 1


limits = st.builds(
    ConnectionLimits,
    max_connections=st.integers(1, 4),
    max_pending_requests=st.integers(0, 4),
    max_requests=st.integers(1, 5),
    max_requests_per_connection=st.integers(0, 3),
)
moves = ["ask", "ask", "ask", "connect", "fail", "finish", "reset", "leave", "drain"]
steps = st.lists(st.tuples(st.sampled_from(moves), st.integers(0, 9)), max_size=80)


@settings(max_examples=150)
@given(limits, st.booleans(), steps)
def test_limits_hold_and_every_request_has_one_end(limit, http2, history):
    pool = ConnectionPool(limit, http2=http2)
    opening, waiting, going, asked, ended = [], [], [], 0, 0

    def moved(change, host):
        nonlocal ended
        for ticket, connection in change.go:
            waiting.remove((host, ticket))
            going.append((host, connection))
        for ticket in change.overflow:
            waiting.remove((host, ticket))
            ended += 1
        if change.opens:
            opening.append(host)

    for what, number in history:
        if what == "ask":
            host, asked = number % 2, asked + 1
            answer = pool.ask(host, asked)
            if answer.verdict is Verdict.GO:
                going.append((host, answer.connection))
            elif answer.verdict is Verdict.WAIT:
                waiting.append((host, asked))
                if answer.opens:
                    opening.append(host)
            else:
                ended += 1
        elif what == "connect" and opening:
            host = opening.pop(number % len(opening))
            moved(pool.connected(host), host)
        elif what == "fail" and opening:
            host = opening.pop(number % len(opening))
            failed = pool.connect_failed(host)
            ended += len(failed)
            waiting = [one for one in waiting if one[0] != host]
        elif what in ("finish", "reset") and going:
            host, connection = going.pop(number % len(going))
            ended += 1
            moved(pool.finished(host, connection, reset=what == "reset"), host)
        elif what == "leave" and waiting:
            host, ticket = waiting.pop(number % len(waiting))
            pool.abandoned(host, ticket)
            ended += 1
        elif what == "drain":
            pool.drain(number % 2)
        assert pool.requests == len(going) <= limit.max_requests
        assert pool.pending == len(waiting) <= limit.max_pending_requests
        assert pool.connections <= limit.max_connections + 1  # the second host's first one
        assert asked == ended + len(going) + len(waiting)
        if not http2:
            assert len(going) <= pool.connections
    # Nobody is forgotten: whoever waits, waits for a connection that is being opened or that is in use.
    assert all(host in opening or any(other == host for other, _ in going) for host, _ in waiting)
    # What is open is in use, in the making or idle, and idle ones go when their host is drained.
    for host in (0, 1):
        pool.drain(host)
    assert pool.connections == len(opening) + len({id(connection) for _, connection in going})
