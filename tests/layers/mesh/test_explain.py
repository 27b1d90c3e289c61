"""What is told of a request is what was decided: the rule that is called met is the first that the request meets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.mesh.explain import failures, place, reasons
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import first_match
from skyedge.layers.mesh.locality import Locality
from tests.layers.mesh.test_shadowing import MATCHES, REQUESTS, rule


@settings(max_examples=150)
@given(st.lists(st.lists(MATCHES, max_size=2).map(lambda matches: rule(*matches)), max_size=4), REQUESTS)
def test_the_rule_that_is_called_met_is_the_first_that_is(rules, request):
    told = reasons(rules, request)
    found = first_match(rules, request)
    assert [one.rule for one in told if one.met] == ([] if found is None else [found[0]])
    assert all(one.why for one in told)


@settings(max_examples=150)
@given(MATCHES, REQUESTS)
def test_a_condition_fails_exactly_if_something_of_it_is_said_to_fail(match, request):
    assert match.holds(request) != any(failures(match, request))


def test_sentences_name_what_was_found_and_what_was_asked_for():
    match = HttpMatch(uri=StringMatch(How.PREFIX, "/a"), headers={"x-user": StringMatch(How.EXACT, "jo")}, port=81)
    told = list(failures(match, HttpRequest("h", "/b", headers={"x-user": "al"})))
    assert told == [
        "the path is /b and not one that begins with '/a'",
        "the header x-user is 'al' and not one that is 'jo'",
        "the port is 80 and not 81",
    ]


def test_a_place_leaves_out_what_is_not_known():
    assert [place(Locality(*words)) for words in (("eu", "eu-1", "a"), ("eu",), ())] == ["eu/eu-1/a", "eu", "?"]
