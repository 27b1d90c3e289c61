import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.locality import (
    NETWORK,
    Endpoint,
    EndpointGroup,
    Locality,
    compacted,
    distance,
    distribute,
    failover_priorities,
    split_by_labels,
    zone_aware_priorities,
)
from skyedge.layers.mesh.locality_settings import Effective, Kind, Level, LocalitySetting, effective_setting

letters = st.sampled_from(["", "a", "b"])
localities = st.builds(Locality, letters, letters, letters)
HERE = Locality("r1", "z1", "s1")


@given(st.lists(st.integers(0, 20), min_size=1))
def test_compacted_priorities_have_no_gap_and_the_same_order(priorities):
    ranks = compacted(priorities)
    assert set(ranks) == set(range(max(ranks) + 1))
    assert all((p < q) == (r < s) for p, r in zip(priorities, ranks) for q, s in zip(priorities, ranks))  # noqa: B905


@given(localities, st.lists(localities, min_size=1, max_size=6))
def test_nearer_groups_come_first(caller, groups):
    ranks = failover_priorities(caller, groups)
    away = [distance(caller, group) for group in groups]
    assert ranks == compacted(away)
    for one, other in zip(ranks, zone_aware_priorities(caller, groups), strict=True):
        assert other <= one


def test_failover_puts_the_named_region_before_others():
    groups = [Locality("r3"), Locality("r2"), HERE]
    assert failover_priorities(HERE, groups) == [1, 1, 0]
    assert failover_priorities(HERE, groups, [("r9", "r3"), ("r1", "r2")]) == [2, 1, 0]
    assert zone_aware_priorities(HERE, groups, [("r1", "r2")]) == [2, 1, 0]


@pytest.mark.parametrize(
    ("rule", "holds"),
    [("*", True), ("r1", True), ("r1/*/s1", True), ("r1/z1/s1", True), ("r1/z2", False), ("*/z1/s2", False), ("", False)],
)
def test_a_rule_holds_for_what_lies_within_it(rule, holds):
    assert HERE.matches(rule) is holds


def test_a_rule_of_four_parts_is_refused():
    with pytest.raises(InputError, match="subzone"):
        HERE.matches("a/b/c/d")


def group(place, *labels):
    return EndpointGroup(place, tuple(Endpoint(f"e{n}", each) for n, each in enumerate(labels)))


def test_labels_split_a_group_and_their_order_counts():
    parts = split_by_labels(
        HERE, {"k": "1", "m": "1"}, ["k", "m"], [group(HERE, {"k": "1"}, {"m": "1"}, {"k": "1", "m": "1"})]
    )
    assert [(part.priority, [endpoint.address for endpoint in part.endpoints]) for part in parts] == [
        (0, ["e2"]),
        (1, ["e0"]),
        (2, ["e1"]),
    ]


def test_the_network_as_the_first_label_prefers_and_does_not_cut_off_the_others():
    groups = [group(HERE, {NETWORK: "n", "z": "a"}, {NETWORK: "n"}, {"z": "a"}, {})]
    parts = split_by_labels(HERE, {NETWORK: "n", "z": "a"}, [NETWORK, "z"], groups)
    assert [part.endpoints[0].address for part in parts] == ["e0", "e1", "e2", "e3"]
    assert [part.priority for part in parts] == [0, 1, 2, 3]


def test_a_label_with_a_value_stands_for_the_callers_own():
    (part, rest) = split_by_labels(HERE, {"v": "1"}, ["v=2"], [group(HERE, {"v": "2"}, {"v": "1"})])
    assert (part.endpoints[0].address, rest.priority) == ("e0", 1)


def test_localities_decide_among_equal_labels_only_if_failover_is_given():
    groups = [group(Locality("r2"), {"k": "1"}), group(HERE, {"k": "1"}), group(HERE, {})]
    priorities = [part.priority for part in split_by_labels(HERE, {"k": "1"}, ["k"], groups)]
    ranked = [part.priority for part in split_by_labels(HERE, {"k": "1"}, ["k"], groups, [("r1", "r2")])]
    assert (priorities, ranked) == ([0, 0, 1], [1, 0, 2])


@given(st.lists(localities, min_size=1, max_size=6), st.lists(st.integers(1, 9), min_size=6, max_size=6))
def test_a_distribution_gives_out_all_of_it_to_groups_that_match_and_at_most_one_more_each(groups, weights):
    got = distribute(HERE, groups, [("*", {"a": 30, "*": 70})], weights[: len(groups)])
    for mine, percent in ((True, 30), (False, 70)):
        given_out = [weight for weight, place in zip(got, groups, strict=True) if (place.region == "a") is mine]
        assert not given_out or percent <= sum(given_out) <= percent + len(given_out)


def test_no_rule_for_the_caller_is_no_distribution():
    assert distribute(HERE, [HERE], [("r2", {"*": 100})]) is None


OFF, ON = LocalitySetting(False), LocalitySetting(True)


def test_the_destination_rule_speaks_before_the_service_and_that_before_the_mesh():
    assert effective_setting(Level(ON), Level(OFF), "PreferClose") == Effective()
    close = effective_setting(Level(OFF), Level(), "PreferClose")
    assert (close.kind, close.force_failover) == (Kind.LOCALITY, True)
    assert close.setting is not None
    assert close.setting.failover_priority[0] == NETWORK
    assert effective_setting(Level(ON), Level()) == Effective(Kind.LOCALITY, ON)
    assert effective_setting(Level(ON, ON), Level()).kind is Kind.ZONE_AWARE


def test_an_unknown_distribution_is_refused_with_the_nearest_word():
    with pytest.raises(InputError, match="PreferSameNode"):
        effective_setting(Level(), Level(), "PreferSameNod")
