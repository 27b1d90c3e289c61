import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.headers import CorsPolicy, HeaderOperations
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import (
    Abort,
    Delay,
    Destination,
    DirectResponse,
    Draws,
    HttpRoute,
    Mirror,
    Redirect,
    Rewrite,
    answer,
    first_match,
    follow,
)

THERE = (Destination("there"),)


def exact(text):
    return StringMatch(How.EXACT, text)


def prefix(text):
    return StringMatch(How.PREFIX, text)


def regex(text):
    return StringMatch(How.REGEX, text)


def takes(match: HttpMatch, request: HttpRequest) -> bool:
    return answer([HttpRoute(matches=(match,), destinations=THERE)], request).status == 200


words = st.text("abc", max_size=3)
texts = st.builds(StringMatch, st.sampled_from([How.EXACT, How.PREFIX]), words)
matches = st.builds(HttpMatch, method=st.none() | texts, headers=st.dictionaries(words, texts, max_size=2))
requests = st.builds(HttpRequest, st.just("h"), method=words, headers=st.dictionaries(words, words, max_size=2))


@given(st.lists(st.lists(matches, max_size=3), max_size=4), requests)
def test_the_first_rule_of_which_one_condition_holds_takes_the_request(rules, request):
    routes = [HttpRoute(matches=tuple(rule), destinations=THERE) for rule in rules]
    holding = [n for n, rule in enumerate(rules) if not rule or any(match.holds(request) for match in rule)]
    found = first_match(routes, request)
    assert (found and found[0]) == (holding[0] if holding else None)
    assert answer(routes, request).status == (200 if holding else 404)


@given(matches, matches, requests)
def test_conditions_of_one_entry_must_all_hold(one, other, request):
    if not set(one.headers) & set(other.headers) and (one.method is None or other.method is None):
        both = HttpMatch(method=one.method or other.method, headers={**one.headers, **other.headers})
        assert both.holds(request) == (one.holds(request) and other.holds(request))


def test_a_regular_expression_must_match_the_whole_path_without_its_query():
    assert takes(HttpMatch(uri=regex("/a+")), HttpRequest("h", "/aa?x=1"))
    assert not takes(HttpMatch(uri=regex("/a+")), HttpRequest("h", "/aab"))
    assert not takes(HttpMatch(uri=regex("a")), HttpRequest("h", "/a"))


def test_header_names_have_no_case_and_pseudo_headers_count():
    request = HttpRequest("shop:80", "/", "POST", headers={"X-User": "ann"})
    assert takes(HttpMatch(headers={"x-uSER": exact("ann")}), request)
    assert takes(HttpMatch(headers={":method": exact("POST"), ":authority": prefix("shop")}), request)
    assert not takes(HttpMatch(headers={"x-user": exact("Ann")}), request)


def test_an_absent_header_meets_nothing_but_counts_as_empty_where_it_is_forbidden():
    request = HttpRequest("h")
    assert not takes(HttpMatch(headers={"user": regex(".*")}), request)
    assert not takes(HttpMatch(without_headers={"user": regex(".*")}), request)
    assert takes(HttpMatch(without_headers={"user": StringMatch(How.PRESENT)}), request)
    assert not takes(HttpMatch(without_headers={"user": StringMatch(How.PRESENT)}), HttpRequest("h", headers={"user": ""}))


def test_query_parameters_match_by_value_and_the_first_of_a_repeated_one_counts():
    request = HttpRequest("h", "/p?v=2&v=1&empty#part")
    assert takes(HttpMatch(query={"v": exact("2"), "empty": exact("")}), request)
    assert not takes(HttpMatch(query={"v": exact("1")}), request)
    assert not takes(HttpMatch(query={"absent": regex(".*")}), request)


def test_a_rule_can_ask_where_a_request_comes_from():
    match = HttpMatch(source_labels={"app": "web"}, source_namespace="prod", port=8080, gateways=("edge", "mesh"))
    assert takes(match, HttpRequest("h", port=8080, source_labels={"app": "web", "v": "1"}, source_namespace="prod"))
    assert not takes(match, HttpRequest("h", port=8080, source_labels={"app": "web"}))
    assert not takes(match, HttpRequest("h", port=80, source_labels={"app": "web"}, source_namespace="prod"))


def test_case_of_the_path_can_be_ignored():
    assert takes(HttpMatch(uri=prefix("/Shop"), ignore_uri_case=True), HttpRequest("h", "/sHOP/1"))
    assert not takes(HttpMatch(uri=prefix("/Shop")), HttpRequest("h", "/shop"))


@pytest.mark.parametrize(
    ("uri", "path", "sent"),
    [
        (prefix("/old"), "/old/1?q=2#end", "/new/1?q=2"),
        (exact("/old"), "/old?q", "/new?q"),
        (regex("/o.*"), "/old/1", "/new"),
    ],
)
def test_a_rewrite_replaces_what_the_condition_matched_and_keeps_the_query(uri, path, sent):
    route = HttpRoute(matches=(HttpMatch(uri=uri),), destinations=THERE, rewrite=Rewrite("/new", "other"))
    outcome = answer([route], HttpRequest("h", path))
    assert (outcome.upstream_path, outcome.upstream_host) == (sent, "other")


def test_a_pattern_rewrites_the_path_with_its_groups():
    route = HttpRoute(destinations=THERE, rewrite=Rewrite(pattern="^/v1/(.*)$", substitution=r"/\1/new"))
    assert answer([route], HttpRequest("h", "/v1/a?b=/v1/c")).upstream_path == "/a/new?b=/v1/c"


@pytest.mark.parametrize(
    ("redirect", "host", "to"),
    [
        (Redirect(uri="/b"), "h:80", "http://h:80/b?q=1"),
        (Redirect(uri="/b?r=2"), "h", "http://h/b?r=2"),
        (Redirect(scheme="https"), "h:80", "https://h/a?q=1"),
        (Redirect(scheme="https"), "h:8080", "https://h:8080/a?q=1"),
        (Redirect(authority="new", port=9000), "h:80", "http://new:9000/a?q=1"),
        (Redirect(port_of_request=True), "h:80", "http://h:80/a?q=1"),
        (Redirect(port_of_request=True), "h", "http://h/a?q=1"),
        (Redirect(scheme="https", port=443), "h:80", "https://h/a?q=1"),
        (Redirect(scheme="https", port=80), "h", "https://h:80/a?q=1"),
    ],
)
def test_a_redirect_changes_what_it_names_and_keeps_the_rest(redirect, host, to):
    outcome = answer([HttpRoute(redirect=redirect)], HttpRequest(host, "/a?q=1"))
    assert (outcome.status, outcome.location) == (301, to)


def test_a_circle_of_redirects_ends_in_a_redirect():
    assert follow([HttpRoute(redirect=Redirect(uri="/again"))], HttpRequest("h")).status == 301


def test_headers_are_removed_by_both_then_set_and_added_by_the_rule_and_then_by_its_only_destination():
    route = HttpRoute(
        destinations=(Destination("there", request_headers=HeaderOperations(add={"A": "3"}, remove=("c", "d"))),),
        request_headers=HeaderOperations(set={"a": "1"}, add={"a": "2", "c": "9"}),
        response_headers=HeaderOperations(set={"Server": "mesh"}),
    )
    outcome = answer([route], HttpRequest("h", headers={"A": "0", "b": "kept", "c": "0", "d": "0"}))
    assert outcome.upstream_headers == {"a": "1,2,3", "b": "kept", "c": "9"}
    assert outcome.response_headers == {"server": "mesh"}


def test_of_several_destinations_each_has_its_headers_first_and_the_rule_the_last_word():
    mine = HeaderOperations(set={"a": "destination", "b": "destination"})
    route = HttpRoute(
        destinations=(
            Destination("there", weight=1, request_headers=mine, response_headers=mine),
            Destination("x", weight=1),
        ),
        request_headers=HeaderOperations(set={"a": "rule"}),
        response_headers=HeaderOperations(remove=("b",)),
    )
    outcome = answer([route], HttpRequest("h"))
    assert outcome.upstream_headers == {"a": "rule", "b": "destination"}
    assert outcome.response_headers == {"a": "destination"}


def test_parts_of_a_request_are_no_headers_to_change_but_for_the_authority():
    changes = HeaderOperations(set={":path": "/x"}, add={"Host": "added"}, remove=(":method", "host"))
    outcome = answer([HttpRoute(destinations=THERE, request_headers=changes)], HttpRequest("h", headers={"a": "1"}))
    assert (outcome.upstream_headers, outcome.upstream_host) == ({"a": "1"}, "added")
    both = HeaderOperations(set={":authority": "set"}, add={"host": "added"})
    assert answer([HttpRoute(destinations=THERE, request_headers=both)], HttpRequest("h")).upstream_host == "set"


@pytest.mark.parametrize("others", [(), (Destination("b", weight=1),)])
def test_the_authority_of_a_rewrite_counts_before_that_of_the_headers_and_the_rules_before_the_destinations(others):
    to = Destination("a", weight=1, request_headers=HeaderOperations(set={"host": "destination"}))
    by_header = HeaderOperations(set={"Host": "rule"})

    def host(**rule):
        return answer([HttpRoute(destinations=(to, *others), **rule)], HttpRequest("h")).upstream_host

    assert host() == "destination"
    assert host(request_headers=by_header) == "rule"
    assert host(request_headers=by_header, rewrite=Rewrite(authority="rewrite")) == "rewrite"


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 100))
def test_a_fault_strikes_its_share_of_the_draws(draw, percent):
    route = HttpRoute(destinations=THERE, abort=Abort(percent, 503), delay=Delay(2.0, percent))
    outcome = answer([route], HttpRequest("h"), Draws(abort=draw, delay=draw))
    struck = draw * 100 < percent
    assert outcome.status == (503 if struck else 200)
    assert outcome.delay_s == (2.0 if struck else 0.0)


def test_a_grpc_caller_gets_its_error_in_a_header():
    route = HttpRoute(destinations=THERE, abort=Abort(http_status=503))
    assert answer([route], HttpRequest("h", grpc=True)).grpc_status == 14
    assert answer([HttpRoute(destinations=THERE, abort=Abort(grpc_status=7))], HttpRequest("h")).status == 403


def test_a_preflight_of_an_allowed_origin_is_answered_by_the_proxy():
    cors = CorsPolicy((exact("https://a.example"),), ("GET", "POST"), ("x-one",), max_age_s=3600)
    route = HttpRoute(destinations=THERE, cors=cors)
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    told = answer([route], HttpRequest("h", method="OPTIONS", headers=asks))
    assert told.destination is None
    assert told.response_headers["access-control-allow-methods"] == "GET,POST"
    assert told.response_headers["access-control-max-age"] == "3600"
    other = answer([route], HttpRequest("h", headers={"Origin": "https://b.example"}))
    assert (other.destination, other.response_headers) == (0, {})


def test_mirrors_get_copies_by_their_share():
    route = HttpRoute(destinations=THERE, mirrors=(Mirror(Destination("all")), Mirror(Destination("few"), 10)))
    assert answer([route], HttpRequest("h"), Draws(mirror=0.05)).mirrors == ("all", "few")
    assert answer([route], HttpRequest("h"), Draws(mirror=0.5)).mirrors == ("all",)


def test_a_direct_response_needs_no_destination():
    outcome = answer([HttpRoute(direct_response=DirectResponse(418, "teapot"))], HttpRequest("h"))
    assert (outcome.status, outcome.body, outcome.destination) == (418, "teapot", None)


def test_what_makes_no_sense_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="exactly one"):
        HttpRoute()
    with pytest.raises(InputError, match="all zero"):
        HttpRoute(destinations=(Destination("a"), Destination("b")))
    with pytest.raises(InputError, match="regular expression"):
        takes(HttpMatch(uri=regex("(")), HttpRequest("h"))
    with pytest.raises(InputError, match="redirect"):
        Redirect(code=200)
