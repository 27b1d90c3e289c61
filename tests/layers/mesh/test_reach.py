"""Between edge and cloud: who gets where, through what, and what becomes of a call when a channel is down."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.reach import GATEWAY_DELAY_MS, Channel, Kind, Network, Reach

CLOUD = Network("cloud", frozenset({"*"}))
PRIVATE = Network("private")
FARM = Network("farm", outwards_only=True, channel=Channel("cloud", delay_ms=30, bytes_per_s=1e6))
PORT = Network("port", outwards_only=True, channel=Channel("cloud", delay_ms=10, bytes_per_s=5e6))
FAR = Network("far", frozenset({"cloud"}), gateway_delay_ms=1)
HUT = Network("hut", outwards_only=True)
FLAT = Network("flat", frozenset({"*"}), open_to=frozenset({"cloud"}))


def reach(*networks):
    apart = {("far", "cloud"): 50.0, ("flat", "cloud"): 2.0}
    kept = {one.name: one for one in networks}
    return Reach(kept, {pair: ms for pair, ms in apart.items() if set(pair) <= set(kept)})


ALL = reach(CLOUD, PRIVATE, FARM, PORT, FAR, HUT, FLAT)


def test_within_a_network_the_way_is_direct():
    for name in ALL.networks:
        way = ALL.way(name, name)
        assert (way.kind, way.hops, way.delay_ms, way.crossings) == (Kind.DIRECT, 0, 0, ())


def test_the_cloud_reaches_the_edge_through_the_channel_that_the_edge_opened_and_back():
    down = ALL.way("cloud", "farm")
    assert (down.kind, down.hops, down.delay_ms, down.bytes_per_s) == (Kind.EDGE_CHANNEL, 1, 30.0, 1e6)
    up = ALL.way("farm", "cloud")  # the cloud's gateway is open, so the edge needs no channel to call it
    assert (up.kind, up.hops, up.delay_ms, up.bytes_per_s) == (Kind.GATEWAY, 1, 30 + GATEWAY_DELAY_MS, 1e6)
    without_gateway = reach(Network("cloud"), FARM)
    assert without_gateway.way("farm", "cloud").kind is Kind.EDGE_CHANNEL
    assert without_gateway.way("farm", "cloud").delay_ms == 30


def test_an_edge_reaches_another_through_both_channels():
    way = ALL.way("farm", "port")
    assert (way.kind, way.hops, way.delay_ms, way.bytes_per_s) == (Kind.EDGE_CHANNEL, 2, 40.0, 1e6)
    assert ALL.way("port", "farm").delay_ms == way.delay_ms


def test_beyond_the_end_of_a_channel_a_gateway_is_passed():
    way = ALL.way("farm", "far")  # the gateway of far lets only the cloud in
    assert (way.kind, way.hops, way.delay_ms) == (Kind.EDGE_CHANNEL, 2, 30 + 50 + 1)
    assert way.why == "channel of farm and the gateway of far"
    assert ALL.way("far", "farm").why == "gateway of cloud and the channel of farm"


def test_where_a_network_is_open_no_gateway_is_passed():
    assert (ALL.way("cloud", "flat").kind, ALL.way("cloud", "flat").delay_ms) == (Kind.DIRECT, 2.0)
    assert ALL.way("far", "flat").kind is Kind.GATEWAY
    assert ALL.way("farm", "flat").kind is Kind.GATEWAY
    alone = reach(CLOUD, FARM, replace(FLAT, gateway_open_to=frozenset(), open_to=frozenset({"*"})))
    up = alone.way("farm", "flat")  # an edge reaches nobody but over its line, which ends in the cloud
    assert (up.kind, up.delay_ms, up.why) == (Kind.EDGE_CHANNEL, 30 + 2, "channel of farm")
    assert alone.way("flat", "farm").why == "gateway of cloud and the channel of farm"


def test_lines_are_crossed_in_the_direction_of_the_call():
    def crossed(caller, endpoint):
        return [(one.site, one.outwards) for one in ALL.way(caller, endpoint).crossings]

    assert crossed("cloud", "farm") == [("farm", False)]
    assert crossed("farm", "cloud") == [("farm", True)]  # by the cloud's gateway, but over the site's one line
    assert crossed("farm", "port") == [("farm", True), ("port", False)]
    assert crossed("cloud", "far") == crossed("farm", "farm") == []


def test_lines_go_down_one_by_one():
    down = ALL.with_lines_down(["farm"])
    assert down.way("cloud", "farm").kind is down.way("farm", "far").kind is down.way("farm", "cloud").kind is Kind.NONE
    assert down.way("cloud", "port") == ALL.way("cloud", "port")
    assert ALL.with_lines_down([]) == ALL
    with pytest.raises(InputError, match="'hut' has no channel"):
        ALL.with_lines_down(["hut"])


def test_a_way_is_found_once_and_by_whoever_has_other_lines_again():
    assert ALL.way("cloud", "farm") is ALL.way("cloud", "farm")
    assert ALL.with_lines_down(["farm"]).way("cloud", "farm").kind is Kind.NONE
    assert ALL.way("cloud", "farm").kind is Kind.EDGE_CHANNEL


def test_where_nobody_lets_anybody_in_there_is_no_way():
    assert ALL.way("cloud", "private").kind is Kind.NONE
    assert ALL.way("cloud", "hut").why == "hut has no channel"
    assert math.isinf(ALL.way("cloud", "private").delay_ms)


def test_while_a_line_is_down_the_site_is_alone():
    cut = ALL.with_lines_down(["farm"])
    for name in sorted(set(ALL.networks) - {"farm"}):
        for way in (cut.way(name, "farm"), cut.way("farm", name)):
            assert way.kind is Kind.NONE
    assert cut.way("cloud", "farm").why == "the channel of farm is down"
    assert cut.way("farm", "farm").kind is Kind.DIRECT


names = st.sampled_from(sorted(ALL.networks))


@given(names, names)
def test_a_way_is_as_long_as_its_lines_and_as_wide_as_the_narrowest(caller, endpoint):
    way = ALL.way(caller, endpoint)
    if way.kind is not Kind.NONE:
        assert way.delay_ms >= sum(one.delay_ms for one in way.crossings)
        assert way.bytes_per_s == min((one.bytes_per_s for one in way.crossings), default=math.inf)
        assert [one.turned.turned for one in way.crossings] == list(way.crossings)
        sites = [name for name in (caller, endpoint) if ALL.networks[name].channel is not None and caller != endpoint]
        assert [one.site for one in way.crossings] == sites


@given(names, names)
def test_nobody_comes_in_to_an_edge_but_through_its_channel(caller, endpoint):
    way = ALL.way(caller, endpoint)
    if caller != endpoint and ALL.networks[endpoint].outwards_only:
        assert way.kind in (Kind.EDGE_CHANNEL, Kind.NONE)
        assert way.kind is Kind.NONE or way.why.endswith(f"channel of {endpoint}")


def test_what_cannot_be_is_said():
    with pytest.raises(InputError, match="did you mean 'cloud'"):
        reach(CLOUD, replace(FARM, channel=Channel("clod")))
    with pytest.raises(InputError, match="only open connections outwards"):
        reach(replace(FARM, gateway_open_to=frozenset({"*"})), CLOUD)
    with pytest.raises(InputError, match="must end where"):
        reach(CLOUD, PORT, replace(FARM, channel=Channel("port")))
