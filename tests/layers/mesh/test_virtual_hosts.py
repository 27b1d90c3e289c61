import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.mesh.http_match import How, HttpMatch, StringMatch
from skyedge.layers.mesh.http_route import Destination, HttpRoute
from skyedge.layers.mesh.objects import Caller, Mesh, Service, VirtualService
from skyedge.layers.mesh.virtual_hosts import Domains, VirtualHosts, short_names, without_port

CART = "cart.shop.svc.cluster.local"

names = st.lists(st.sampled_from("ab."), min_size=1, max_size=5).map("".join)
patterns = st.tuples(st.sampled_from(["{}", "*{}", "{}*"]), names).map(lambda one: one[0].format(one[1])) | st.just("*")


def as_written(pattern, name):
    """How precisely a pattern fits a name by Envoy's words; None if it does not."""
    bare = pattern.strip("*")
    if pattern == "*":
        return (0, 0)
    if pattern.startswith("*"):
        return (2, len(bare)) if name.endswith(bare) and name != bare else None
    if pattern.endswith("*"):
        return (1, len(bare)) if name.startswith(bare) and name != bare else None
    return (3, len(bare)) if name == bare else None


@given(st.lists(patterns, unique=True, max_size=8), names)
def test_the_most_precise_name_counts(known, name):
    fits = {pattern: how for pattern in known if (how := as_written(pattern, name)) is not None}
    best = max(fits, key=lambda pattern: fits[pattern], default=None)
    assert Domains((pattern, pattern) for pattern in known).find(name) == best


def test_a_wildcard_stands_for_at_least_one_character():
    domains = Domains([("*-bar.example.com", 1)])
    assert domains.find("-bar.example.com") is None
    assert domains.find("baz-bar.example.com") == 1


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("A.example", "a.example"),
        ("a.example:8080", "a.example"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("a:b", "a:b"),
    ],
)
def test_a_port_and_the_case_of_an_authority_play_no_part(authority, host):
    assert without_port(authority) == host


def test_a_service_of_kubernetes_has_short_names_and_the_shortest_only_in_its_namespace():
    assert short_names(Service(CART), "shop") == ("cart", "cart.shop", "cart.shop.svc")
    assert short_names(Service(CART), "other") == ("cart.shop", "cart.shop.svc")
    assert short_names(Service("api.example.com"), "shop") == ()
    assert short_names(Service("cart.shop.svc.example.com"), "shop") == ()
    assert short_names(Service("svc.cluster.local"), "shop") == short_names(Service("a.b.c.svc.cluster.local"), "c") == ()


@pytest.mark.parametrize("host", [CART, "api.example.com"])
def test_a_service_answers_to_its_whole_name_with_a_dot_at_the_end_but_to_no_other(host):
    hosts = VirtualHosts(Mesh(services=(Service(host),)), Caller("a", namespace="shop"))
    assert hosts.find(f"{host}.:80") is hosts.find(host) is not None
    assert hosts.find("cart.") is None
    assert hosts.find(f"{host}..") is None


def route(name):
    return (HttpRoute(destinations=(Destination(CART),), name=name),)


def found(mesh, authority, **caller):
    host = VirtualHosts(mesh, Caller(**caller)).find(authority)
    return None if host is None else [one.name or one.destinations[0].host for one in host.routes]


def test_a_service_that_nobody_speaks_of_is_reached_by_its_names():
    mesh = Mesh((Service(CART),))
    assert found(mesh, "cart:8080", namespace="shop") == [CART]
    assert found(mesh, "cart", namespace="other") is None
    assert found(mesh, "CART.shop", namespace="other") == [CART]


def test_a_virtual_service_is_under_the_short_names_of_its_service_too():
    mesh = Mesh((Service(CART),), virtual_services=(VirtualService((CART,), route("canary")),))
    assert found(mesh, "cart.shop") == ["canary"]


def test_a_service_under_a_wildcard_follows_it_unless_it_is_spoken_of_itself():
    wide, narrow = VirtualService(("*.shop.svc.cluster.local",), route("wide")), VirtualService((CART,), route("narrow"))
    assert found(Mesh((Service(CART),), virtual_services=(wide,)), CART) == ["wide"]
    assert found(Mesh((Service(CART),), virtual_services=(wide, narrow)), CART) == ["narrow"]


def test_of_two_for_one_host_the_first_counts_inside_and_both_at_a_gateway():
    both = tuple(VirtualService(("a.example",), route(name), ("mesh", "edge")) for name in ("first", "second"))
    mesh = Mesh(virtual_services=both)
    assert found(mesh, "a.example") == ["first"]
    assert found(mesh, "a.example", gateway="edge") == ["first", "second"]


def test_at_a_gateway_what_takes_everything_comes_after_the_rules_of_all_others():
    def rule(name, *matches):
        return HttpRoute(matches, (Destination(CART),), name=name)

    rest = HttpMatch(uri=StringMatch(How.PREFIX, "/"))
    mine = HttpMatch(source_labels={"app": "edge"})
    first = (rule("mixed", HttpMatch(port=8443), rest, HttpMatch(method=StringMatch(How.EXACT, "PUT"))), rule("never"))
    second = (rule("other caller's", mine), rule("by port", HttpMatch(port=80)), rule("all"), rule("never"))
    third = (rule("path", HttpMatch(uri=StringMatch(How.PREFIX, "/a"))),)
    mesh = Mesh(
        virtual_services=tuple(
            VirtualService(("a.example",), http, ("edge",), name=name)
            for name, http in (("v1", first), ("v2", second), ("v3", third))
        )
    )
    host = VirtualHosts(mesh, Caller(gateway="edge")).find("a.example")
    assert [one.name for one in host.routes] == ["mixed", "other caller's", "by port", "path", "mixed", "all"]
    assert [(service.name, number) for service, number in map(host.origin, range(6))] == [
        ("v1", 0),
        ("v2", 0),
        ("v2", 1),
        ("v3", 0),
        ("v1", 0),
        ("v2", 2),
    ]
    assert [len(one.matches) for one in host.routes if one.name == "mixed"] == [1, 1]
    assert found(mesh, "a.example", gateway="edge", labels={"app": "edge"}) == [
        *("mixed", "path", "mixed", "other caller's"),
    ]


def test_a_gateway_knows_only_what_is_bound_to_it():
    mesh = Mesh((Service(CART),), virtual_services=(VirtualService(("*",), route("all"), ("edge",)),))
    assert found(mesh, "anything", gateway="edge") == ["all"]
    assert found(mesh, "anything") is None
    assert found(mesh, CART) == [CART]
    assert found(mesh, CART, gateway="other") is None
