"""Who may call whom: a word that denies counts before one that allows, and what nobody allows is denied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.mesh.access import (
    About,
    Action,
    Addresses,
    Condition,
    Operation,
    Peer,
    Policy,
    Rule,
    Source,
    Texts,
    decide,
    fits,
    within,
)
from skyedge.layers.mesh.http_match import HttpRequest

EVERYTHING = (Rule(),)
REQUEST = HttpRequest("shop", "/items/7?all=1", headers={"x-token": "t"})
JO = Peer("cluster.local/ns/web/sa/jo", "web", "10.1.2.3")


def decided(*policies):
    return decide(policies, REQUEST, JO, 8080).allowed


def only(*, action=Action.ALLOW, **rule):
    return Policy("p", action, (Rule(**rule),))


def test_without_policies_everything_is_allowed():
    assert decided()


def test_a_policy_that_allows_nothing_denies_all_and_one_that_denies_nothing_none():
    assert not decided(Policy("p"))
    assert decided(Policy("p", Action.DENY))


def test_denying_counts_before_allowing_and_auditing_decides_nothing():
    assert not decided(Policy("a", Action.ALLOW, EVERYTHING), Policy("d", Action.DENY, EVERYTHING))
    assert decided(Policy("a", Action.AUDIT, EVERYTHING))


@given(st.lists(st.builds(Policy, st.just("p"), st.sampled_from(Action), st.sampled_from([(), EVERYTHING])), max_size=5))
def test_the_order_of_policies_plays_no_part(policies):
    assert decide(policies, REQUEST, JO, 80).allowed == decide(policies[::-1], REQUEST, JO, 80).allowed


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"sources": (Source(principals=Texts(("cluster.local/ns/web/*",))),)}, True),
        ({"sources": (Source(principals=Texts(unwanted=("*/sa/jo",))),)}, False),
        ({"sources": (Source(namespaces=Texts(("shop",))), Source(namespaces=Texts(("web",))))}, True),
        ({"sources": (Source(namespaces=Texts(("web",)), addresses=Addresses(("10.2.0.0/16",))),)}, False),
        ({"sources": (Source(addresses=Addresses(("10.0.0.0/8",), ("10.1.2.3",))),)}, False),
        ({"operations": (Operation(paths=Texts(("/items/*",)), methods=Texts(("GET",))),)}, True),
        ({"operations": (Operation(paths=Texts(("/items/{*}",))),)}, True),
        ({"operations": (Operation(ports=Texts(("80",))),)}, False),
        ({"operations": (Operation(hosts=Texts(("sh*",))),), "sources": (Source(namespaces=Texts(("no",))),)}, False),
        ({"conditions": (Condition(About.HEADER, Texts(("t",)), "X-Token"),)}, True),
        ({"conditions": (Condition(About.HEADER, Texts(("*",)), "x-other"),)}, False),
        ({"conditions": (Condition(About.HEADER, Texts(unwanted=("t",)), "x-other"),)}, True),
        ({"conditions": (Condition(About.ADDRESS, Texts(("10.1.0.0/16",))),)}, True),
        ({"conditions": (Condition(About.NOTHING, Texts(("a",))),)}, False),
    ],
)
def test_a_rule_holds_if_all_that_it_names_holds(rule, expected):
    assert decided(only(**rule)) is expected
    assert decided(only(action=Action.DENY, **rule)) is not expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", False),
        ("*", "a", True),
        ("a*", "ab", True),
        ("*b", "ab", True),
        ("a", "ab", False),
        ("/a/{*}/c", "/a/b/c", True),
        ("/a/{*}/c", "/a/b/b/c", False),
        ("/a/{**}", "/a/b/c", True),
    ],
)
def test_patterns_are_istios(pattern, text, expected):
    assert fits(pattern, text) is expected


def test_an_address_that_is_none_lies_in_no_network():
    assert within("10.0.0.0/8", "10.9.9.9")
    assert not within("10.0.0.0/8", "")
