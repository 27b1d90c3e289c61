"""A rule that is called hidden is never reached, and the plain cases of hiding are all found."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import Destination, HttpRoute, first_match
from skyedge.layers.mesh.shadowing import Hidden, covers, hidden


def exact(text):
    return StringMatch(How.EXACT, text)


def prefix(text):
    return StringMatch(How.PREFIX, text)


def regex(text):
    return StringMatch(How.REGEX, text)


def rule(*matches):
    return HttpRoute(matches=matches, destinations=(Destination("a"),))


# What is hidden.


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (HttpMatch(), HttpMatch(uri=exact("/a"))),
        (HttpMatch(uri=prefix("/")), HttpMatch()),
        (HttpMatch(uri=regex(".*")), HttpMatch(uri=prefix("/a"))),
        (HttpMatch(uri=prefix("/a")), HttpMatch(uri=prefix("/ab"))),
        (HttpMatch(uri=prefix("/a")), HttpMatch(uri=prefix("/a"))),
        (HttpMatch(uri=prefix("/a")), HttpMatch(uri=exact("/a/b"), method=exact("GET"))),
        (HttpMatch(uri=prefix("/A"), ignore_uri_case=True), HttpMatch(uri=prefix("/ab"))),
        (HttpMatch(uri=regex("/[ab]+")), HttpMatch(uri=exact("/abba"))),
        (HttpMatch(uri=regex("/a.*")), HttpMatch(uri=prefix("/ab"))),
        (HttpMatch(uri=prefix("/a")), HttpMatch(uri=regex("/ab.*"))),
        (HttpMatch(uri=regex("/a.*")), HttpMatch(uri=regex("/a/b"))),
        (HttpMatch(headers={"X-User": StringMatch(How.PRESENT)}), HttpMatch(headers={"x-user": exact("jo")})),
        (HttpMatch(without_headers={"x": exact("1")}), HttpMatch(without_headers={"x": prefix("1")})),
        (HttpMatch(without_headers={"x": exact("1")}), HttpMatch(headers={"x": exact("2")})),
        (HttpMatch(query={"q": prefix("a")}), HttpMatch(query={"q": exact("ab")})),
        (HttpMatch(source_labels={"app": "w"}), HttpMatch(source_labels={"app": "w", "v": "1"})),
        (HttpMatch(gateways=("mesh", "g")), HttpMatch(gateways=("g",))),
        (HttpMatch(port=80), HttpMatch(port=80, source_namespace="n")),
    ],
)
def test_a_wider_condition_covers_a_narrower_one(earlier, later):
    assert covers(earlier, later)
    assert hidden([rule(earlier), rule(later)]) == [Hidden(1, None, 0, 0)]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (HttpMatch(uri=prefix("/ab")), HttpMatch(uri=prefix("/a"))),
        (HttpMatch(uri=regex("/a.c.*")), HttpMatch(uri=prefix("/a.c"), ignore_uri_case=True)),
        (HttpMatch(uri=prefix("/a.c")), HttpMatch(uri=regex("/a.c.*"))),
        (HttpMatch(uri=prefix("/a")), HttpMatch(uri=prefix("/a"), ignore_uri_case=True)),
        (HttpMatch(uri=prefix("/a"), method=exact("GET")), HttpMatch(uri=prefix("/a"))),
        (HttpMatch(headers={"x": StringMatch(How.PRESENT)}), HttpMatch()),
        (HttpMatch(without_headers={"x": exact("")}), HttpMatch(without_headers={"x": StringMatch(How.PRESENT)})),
        (HttpMatch(gateways=("g",)), HttpMatch()),
        (HttpMatch(port=80), HttpMatch()),
    ],
)
def test_a_condition_that_lets_some_through_covers_nothing(earlier, later):
    assert not covers(earlier, later)
    assert hidden([rule(earlier), rule(later)]) == []


def test_a_rule_without_conditions_hides_all_that_follow():
    rules = [rule(), rule(HttpMatch(uri=exact("/a"))), rule()]
    assert hidden(rules) == [Hidden(1, None, 0, None), Hidden(2, None, 0, None)]


def test_a_rule_of_which_some_conditions_are_reached_is_not_hidden_but_the_others_are_named():
    rules = [rule(HttpMatch(uri=prefix("/a"))), rule(HttpMatch(uri=prefix("/b")), HttpMatch(uri=exact("/a/1")))]
    assert hidden(rules) == [Hidden(1, 1, 0, 0)]


def test_a_condition_is_hidden_by_a_wider_one_before_it_in_the_same_rule():
    both = [rule(HttpMatch(uri=prefix("/a")), HttpMatch(uri=prefix("/ab"), method=exact("GET")))]
    assert hidden(both) == [Hidden(0, 1, 0, 0)]
    assert hidden([rule(*both[0].matches[::-1])]) == []


def test_several_earlier_rules_may_each_take_a_part():
    rules = [
        rule(HttpMatch(uri=prefix("/a"))),
        rule(HttpMatch(uri=prefix("/b"))),
        rule(HttpMatch(uri=exact("/b")), HttpMatch(uri=exact("/a"))),
    ]
    assert hidden(rules) == [Hidden(2, None, 1, 0)]


HALF = ("method", "headers", "query", "port", "source_labels", "source_namespace", "gateways")
"""What two conditions are made to have in common, so that many of them cover each other."""

# Every rule that is called hidden is hidden, whatever is asked for.

WORDS = st.sampled_from(["", "a", "A", "ab", "AB", "b"])
TEXTS = st.one_of(
    st.just(StringMatch(How.PRESENT)),
    st.builds(StringMatch, st.sampled_from([How.EXACT, How.PREFIX]), WORDS),
    st.sampled_from([regex(".*"), regex("a.*"), regex("[aA]b?"), regex("a|b"), regex("")]),
)
PATHS = st.one_of(
    st.builds(lambda how, word: StringMatch(how, f"/{word}"), st.sampled_from([How.EXACT, How.PREFIX]), WORDS),
    st.sampled_from([regex(".*"), regex("/a.*"), regex("/[aA]b?")]),
)
TABLES = st.just({}) | st.dictionaries(st.sampled_from(["x", "X", "y"]), TEXTS, max_size=2)
MATCHES = st.builds(
    HttpMatch,
    uri=st.none() | PATHS,
    method=st.none() | st.sampled_from([exact("GET"), regex("GET|PUT")]),
    headers=TABLES,
    without_headers=TABLES,
    query=st.dictionaries(st.just("q"), TEXTS, max_size=1),
    port=st.sampled_from([0, 80]),
    source_labels=st.dictionaries(st.sampled_from(["l", "m"]), st.sampled_from(["1", "2"]), max_size=1),
    source_namespace=st.sampled_from(["", "n"]),
    gateways=st.sampled_from([(), ("mesh",), ("mesh", "g")]),
    ignore_uri_case=st.booleans(),
)
REQUESTS = st.builds(
    HttpRequest,
    host=st.just("a"),
    path=st.builds(lambda word, query: f"/{word}{query}", WORDS, st.sampled_from(["", "?q=a", "?q=ab", "?q="])),
    method=st.sampled_from(["GET", "PUT", "POST"]),
    port=st.sampled_from([80, 81]),
    headers=st.dictionaries(st.sampled_from(["x", "y"]), WORDS, max_size=2),
    source_labels=st.dictionaries(st.sampled_from(["l", "m"]), st.sampled_from(["1", "2"]), max_size=2),
    source_namespace=st.sampled_from(["n", "o"]),
    gateway=st.sampled_from(["mesh", "g"]),
)


@settings(max_examples=150)
@given(MATCHES, MATCHES, st.lists(REQUESTS, min_size=10, max_size=30))
def test_what_is_covered_is_met(earlier, later, requests):
    narrower = replace(later, **{name: getattr(earlier, name) for name in HALF})
    for one in (later, narrower):
        if covers(earlier, one):
            assert all(earlier.holds(request) for request in requests if one.holds(request))


@settings(max_examples=100)
@given(
    st.lists(st.lists(MATCHES, max_size=2).map(lambda matches: rule(*matches)), min_size=2, max_size=5),
    st.lists(REQUESTS, min_size=10, max_size=30),
)
def test_no_request_reaches_a_hidden_rule(rules, requests):
    gone = {one.route for one in hidden(rules) if one.match is None}
    assert not gone & {found[0] for request in requests if (found := first_match(rules, request)) is not None}


@settings(max_examples=150)
@given(MATCHES)
def test_a_condition_covers_itself(match):
    assert covers(match, match)
