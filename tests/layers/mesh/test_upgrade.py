"""Proxies are upgraded under a stream of requests: none is lost in the patient way, and some are in the other."""

import heapq
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.upgrade import (
    GRACEFUL,
    KILL_AT_ONCE,
    UNDER_WAY,
    Effect,
    Event,
    Phase,
    Upgrade,
    UpgradePlan,
)

START_S, TAKE_S = 2.0, 0.2


class Node:
    """A node's two proxies, and the connections that clients keep to them."""

    def __init__(self):
        self.alive = {"old": True, "new": False}
        self.listening = "old"
        self.leaving = False
        self.busy_until = Counter()
        self.connections = {}
        self.in_flight = {}


class Stream:
    """Clients that keep a connection to each node, ask over it again and again, and open another when told to close it."""

    def __init__(self, plan, *, seed=0, clients=4, until_s=60.0, longest_s=1.0):
        self.upgrade, self.nodes = Upgrade(plan), {name: Node() for name in plan.zone_of}
        self.served, self.lost, self.order, self.at_once, self.drain_s = Counter(), [], [], 0, plan.drain_s
        self._events, self._count = [], itertools.count()
        draws = np.random.default_rng(seed)
        for name in sorted(self.nodes):
            for client in range(clients):
                at = float(draws.uniform(0, 1))
                while at < until_s:
                    took = float(draws.uniform(0.01, longest_s))
                    self._later(at, "ask", name, client, took)
                    at += took + float(draws.exponential(0.3))
        self._do(1.0, self.upgrade.begin())

    def _later(self, at, *what):
        heapq.heappush(self._events, (at, next(self._count), what))

    def run(self):
        while self._events:
            at, _, what = heapq.heappop(self._events)
            getattr(self, f"_{what[0]}")(at, *what[1:])
            self.at_once = max(self.at_once, sum(phase in UNDER_WAY for phase in self.upgrade.phases.values()))
        return self

    def _ask(self, at, name, client, took):
        node = self.nodes[name]
        proxy = node.connections.get(client)
        if proxy is None or not node.alive[proxy]:
            proxy = node.listening
            if proxy is None or not node.alive[proxy]:
                self.lost.append((at, name))  # nobody listens
                return
            node.connections[client] = proxy
        node.in_flight[client] = proxy
        self._later(at + took, "answer", name, client, proxy)

    def _answer(self, at, name, client, proxy):
        node = self.nodes[name]
        if node.in_flight.pop(client, None) != proxy:
            return  # cut before
        self.served[proxy] += 1
        if proxy == "old" and node.leaving:
            del node.connections[client]  # was told to close it
            self._see_whether_empty(at, name)

    def _happened(self, at, name, event):
        self._do(at, self.upgrade.handle(name, event))

    def _see_whether_empty(self, at, name):
        if "old" not in self.nodes[name].connections.values():
            self._later(at, "happened", name, Event.EMPTY)

    def _do(self, at, effects):
        for name, effect in effects:
            node = self.nodes[name]
            self.order += [name] if effect is Effect.START_NEW else []
            if effect is Effect.START_NEW:
                node.alive["new"] = True
                self._later(at + START_S, "happened", name, Event.CONFIGURED)
            elif effect is Effect.TAKE_SOCKETS:
                self._later(at + TAKE_S, "taken", name)
            elif effect is Effect.ASK_TO_LEAVE:
                node.leaving = True
                # A connection with nothing in hand is closed there and then, as a GOAWAY does.
                node.connections = {c: p for c, p in node.connections.items() if p != "old" or c in node.in_flight}
                self._see_whether_empty(at, name)
            elif effect is Effect.COUNT_DOWN:
                self._later(at + self.drain_s, "happened", name, Event.TIME_UP)
            elif effect is Effect.STOP_OLD:
                node.alive["old"] = False
                cut = [client for client, proxy in node.in_flight.items() if proxy == "old"]
                self.lost += [(at, name) for client in cut]
                for client in cut:
                    del node.in_flight[client]
                node.connections = {c: p for c, p in node.connections.items() if p != "old"}

    def _taken(self, at, name):
        self.nodes[name].listening = "new"
        self._happened(at, name, Event.SOCKETS_TAKEN)


def zones(nodes, count=2):
    return {f"n{number}": f"z{number % count}" for number in range(nodes)}


@pytest.mark.parametrize("seed", range(3))
def test_no_request_is_lost_while_every_proxy_is_upgraded(seed):
    stream = Stream(UpgradePlan(zones(6)), seed=seed).run()
    assert stream.upgrade.done
    assert stream.lost == []
    assert stream.served["old"] > 100
    assert stream.served["new"] > 100


def test_killing_at_once_loses_some():
    stream = Stream(UpgradePlan(zones(6), table=KILL_AT_ONCE)).run()
    assert stream.upgrade.done
    assert len(stream.lost) > 6


def test_what_takes_longer_than_the_drain_time_is_cut():
    assert Stream(UpgradePlan(zones(4), drain_s=5.0), longest_s=4.0).run().lost == []
    assert Stream(UpgradePlan(zones(4), drain_s=0.5), longest_s=4.0).run().lost != []


def test_at_every_moment_of_the_patient_way_somebody_listens():
    for (before, event), (after, effects) in GRACEFUL.items():
        if Effect.STOP_OLD in effects:  # only once the new one listens
            assert before is Phase.DRAINING, event
        if Effect.STOP_NEW in effects:
            assert after is Phase.FAILED


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(1, 3), st.integers(1, 4), st.randoms(use_true_random=False))
def test_no_more_are_under_way_than_may_be_and_zones_come_in_turn(nodes, count, most, random):
    placed = zones(nodes, count)
    order = sorted(set(placed.values()))
    random.shuffle(order)
    plan = UpgradePlan(placed, tuple(order), most)
    stream = Stream(plan, clients=1, until_s=3.0).run()
    assert stream.upgrade.done
    assert stream.at_once <= most
    assert stream.order == sorted(placed, key=lambda node: (order.index(placed[node]), node))


def test_a_new_proxy_that_does_not_come_up_stops_the_plan_and_hurts_nobody():
    upgrade = Upgrade(UpgradePlan(zones(3)))
    assert upgrade.begin() == [("n0", Effect.START_NEW)]
    assert upgrade.handle("n0", Event.GAVE_UP) == [("n0", Effect.STOP_NEW)]
    assert list(upgrade.phases.values()) == [Phase.FAILED, Phase.WAITING, Phase.WAITING]
    assert upgrade.retry() == [("n0", Effect.START_NEW)]
    assert upgrade.handle("n0", Event.EMPTY) == []  # nothing has been handed over yet


def test_other_nodes_under_way_finish_before_those_that_failed_are_tried_again():
    upgrade = Upgrade(UpgradePlan(zones(6, 1), max_unavailable=2))
    assert [node for node, _ in upgrade.begin()] == ["n0", "n1"]
    upgrade.handle("n0", Event.GAVE_UP)
    upgrade.handle("n1", Event.GAVE_UP)
    assert [node for node, _ in upgrade.retry()] == ["n0", "n1"]
    assert upgrade.retry() == []
    assert sum(phase in UNDER_WAY for phase in upgrade.phases.values()) == 2


def test_a_large_mesh_is_upgraded_as_a_small_one():
    upgrade = Upgrade(UpgradePlan(zones(5_000, 3), max_unavailable=50))
    to_do = upgrade.begin()
    answers = {
        Effect.START_NEW: Event.CONFIGURED,
        Effect.TAKE_SOCKETS: Event.SOCKETS_TAKEN,
        Effect.ASK_TO_LEAVE: Event.EMPTY,
    }
    while to_do:
        to_do = [more for node, effect in to_do if effect in answers for more in upgrade.handle(node, answers[effect])]
        assert sum(phase in UNDER_WAY for phase in upgrade.phases.values()) <= 50
    assert upgrade.done


def test_what_cannot_be_is_said():
    with pytest.raises(InputError, match="no node to upgrade"):
        UpgradePlan({})
    with pytest.raises(InputError, match="at least one node"):
        UpgradePlan(zones(2), max_unavailable=0)
    with pytest.raises(InputError, match="no node is in zone"):
        UpgradePlan(zones(2), ("z9",))
    with pytest.raises(InputError, match="there is no node 'n7'"):
        Upgrade(UpgradePlan(zones(2))).handle("n7", Event.EMPTY)
