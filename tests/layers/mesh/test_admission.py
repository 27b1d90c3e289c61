"""Who may call whom: batched answers are the single ones, what denies wins, and each rule of Istio's does what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.access import About, Action, Addresses, Condition, Operation, Policy, Rule, Source, Texts
from skyedge.layers.mesh.admission import (
    Admission,
    Identity,
    Ingress,
    PeerAuthentication,
    SecurityGroup,
    TlsMode,
    allowed,
    allowed_matrix,
    tls_mode,
)
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Service

CALLERS = (
    Identity("web", "shop", "web", "10.0.0.1", {"tier": "front"}),
    Identity("pay", "shop", "pay", "10.0.0.2", {"tier": "back"}),
    Identity("spy", "other", "default", "10.9.0.1", {}),
    Identity("vm", "shop", "vm", "192.168.1.7", {"tier": "front"}, has_proxy=False),
)
SERVICES = (
    Service("orders.shop", namespace="shop", labels={"app": "orders"}),
    Service("stock.shop", namespace="shop", labels={"app": "stock", "sealed": "yes"}),
    Service("log.other", namespace="other"),
)
GET = HttpRequest("orders.shop", "/v1/orders?all=1", headers={"X-Team": "blue"})


def texts(wanted, unwanted=((),)):
    return st.builds(Texts, st.sampled_from([(), *wanted]), st.sampled_from([(), *unwanted]))


sources = st.builds(
    Source,
    principals=texts([("cluster.local/ns/shop/sa/web",), ("*",), ("*/sa/pay",)], [("cluster.local/ns/other/*",)]),
    namespaces=texts([("shop",), ("o*",)], [("shop",)]),
    addresses=st.builds(
        Addresses, st.sampled_from([(), ("10.0.0.0/16",), ("192.168.1.7",)]), st.sampled_from([(), ("10.0.0.2",)])
    ),
)
operations = st.builds(
    Operation,
    hosts=texts([("orders.*",)]),
    ports=texts([("80",), ("9000",)]),
    methods=texts([("GET",), ("P*",)]),
    paths=texts([("/v1/*",), ("*/orders",)], [("/v1/orders",)]),
)
conditions = st.sampled_from(
    [
        Condition(About.HEADER, Texts(("blue",)), "x-team"),
        Condition(About.NAMESPACE, Texts((), ("other",))),
        Condition(About.ADDRESS, Texts(("10.0.0.0/8",))),
        Condition(About.PORT, Texts(("80",))),
    ]
)
few = {"max_size": 2}
rules = st.builds(
    Rule,
    sources=st.lists(sources, **few).map(tuple),
    operations=st.lists(operations, **few).map(tuple),
    conditions=st.lists(conditions, **few).map(tuple),
)
policies = st.builds(
    Policy,
    name=st.sampled_from(["a", "b"]),
    action=st.sampled_from([Action.ALLOW, Action.DENY]),
    rules=st.lists(rules, **few).map(tuple),
    namespace=st.sampled_from(["shop", "other", None]),
    labels=st.sampled_from([{}, {"app": "orders"}]),
)
authentications = st.builds(
    PeerAuthentication,
    name=st.just("tls"),
    namespace=st.sampled_from(["shop", None]),
    mode=st.sampled_from([None, *TlsMode]),
    labels=st.sampled_from([{}, {"app": "orders"}]),
    port_modes=st.sampled_from([{}, {80: TlsMode.STRICT}]),
)
GROUPS = (
    SecurityGroup("front", {"tier": "front"}),
    SecurityGroup(
        "sealed",
        {"sealed": "yes"},
        (Ingress("front", first_port=80, last_port=80), Ingress(from_network="10.0.0.2", protocol="tcp")),
    ),
)
admissions = st.builds(
    Admission,
    policies=st.lists(policies, max_size=4).map(tuple),
    authentications=st.lists(authentications, max_size=2).map(tuple),
    groups=st.sampled_from([(), GROUPS]),
)
requests = st.sampled_from([GET, HttpRequest("", "/v2", "POST"), None])


@settings(max_examples=80)
@given(admissions, st.sampled_from([80, 9000]), requests)
def test_all_at_once_is_as_one_by_one(admission, port, request):
    one_by_one = [[allowed(admission, who, service, port, request).allowed for service in SERVICES] for who in CALLERS]
    assert (allowed_matrix(admission, CALLERS, SERVICES, port, request) == np.array(one_by_one)).all()


@settings(max_examples=50)
@given(admissions, st.sampled_from([80, 9000]), requests)
def test_denying_wins_and_never_opens(admission, port, request):
    deny_all = Policy("z", Action.DENY, (Rule(),))
    closed = Admission((*admission.policies, deny_all), admission.authentications, admission.groups)
    assert not allowed_matrix(closed, CALLERS, SERVICES, port, request).any()
    allowing = tuple(one for one in admission.policies if one.action is Action.ALLOW)
    without = Admission(allowing, admission.authentications, admission.groups)
    more, less = (allowed_matrix(one, CALLERS, SERVICES, port, request) for one in (without, admission))
    assert (less <= more).all()


def may(caller, *policies, **more):
    return allowed(Admission(policies, **more), caller, SERVICES[0], 80, GET).allowed


def allow(*rules, **more):
    return Policy("allow", Action.ALLOW, rules, "shop", **more)


def test_nothing_said_lets_everybody_in_and_an_allow_policy_without_rules_nobody():
    assert all(may(who) for who in CALLERS)
    assert not any(may(who, allow()) for who in CALLERS)
    assert all(may(who, allow(Rule())) for who in CALLERS)
    assert all(may(who, Policy("deny", Action.DENY)) for who in CALLERS)


def test_a_policy_of_another_namespace_or_other_labels_says_nothing():
    elsewhere = Policy("deny", Action.DENY, (Rule(),), "other")
    assert may(CALLERS[0], elsewhere, allow(labels={"app": "stock"}))


OF_THE_SHOP = Rule((Source(namespaces=Texts(("shop",))),))


def test_who_has_no_proxy_has_no_name():
    web, vm = CALLERS[0], CALLERS[3]
    assert may(web, allow(OF_THE_SHOP))
    assert not may(vm, allow(OF_THE_SHOP))
    assert may(vm, allow(Rule((Source(addresses=Addresses(("192.168.0.0/16",))),))))
    assert not may(vm, Policy("deny", Action.DENY, (Rule((Source(principals=Texts((), ("*",))),)),)))


def test_strict_refuses_those_without_a_proxy_and_disable_takes_everybodys_name():
    web, vm = CALLERS[0], CALLERS[3]
    strict = (PeerAuthentication("tls", mode=TlsMode.STRICT),)
    assert may(web, authentications=strict)
    verdict = allowed(Admission(authentications=strict), vm, SERVICES[0], 80, GET)
    assert not verdict.allowed
    assert "no proxy" in verdict.why
    off = (PeerAuthentication("tls", "shop", TlsMode.DISABLE),)
    assert not may(web, allow(OF_THE_SHOP), authentications=off)


def test_the_narrowest_word_on_tls_counts():
    wide = PeerAuthentication("tls", mode=TlsMode.STRICT)
    of_namespace = PeerAuthentication("tls", "shop", TlsMode.PERMISSIVE)
    of_service = PeerAuthentication("own", "shop", None, {"app": "orders"}, {9000: TlsMode.DISABLE})
    admission = Admission(authentications=(wide, of_namespace, of_service))
    assert tls_mode(admission, SERVICES[2], 80) is TlsMode.STRICT
    assert tls_mode(admission, SERVICES[0], 80) is TlsMode.PERMISSIVE
    assert tls_mode(admission, SERVICES[0], 9000) is TlsMode.DISABLE
    assert tls_mode(Admission(), SERVICES[0], 80) is TlsMode.PERMISSIVE


def test_a_rule_on_http_lets_no_plain_connection_in_but_keeps_one_out():
    def plain(port, *policies):
        return allowed(Admission(policies), CALLERS[0], SERVICES[0], port).allowed

    get = Rule(operations=(Operation(ports=Texts(("80",)), methods=Texts(("GET",))),))
    assert may(CALLERS[0], allow(get))
    assert not plain(80, allow(get))
    assert plain(80, allow(Rule(operations=(Operation(ports=Texts(("80",))),))))
    assert not plain(80, Policy("deny", Action.DENY, (get,)))
    assert plain(9000, Policy("deny", Action.DENY, (get,)))


def test_a_security_group_lets_in_what_it_names_and_nothing_else():
    admission = Admission(groups=GROUPS)
    found = allowed_matrix(admission, CALLERS, SERVICES, 80, GET)
    assert found[:, 1].tolist() == [True, True, False, True]
    assert found[:, [0, 2]].all()  # of no group
    assert allowed_matrix(admission, CALLERS, SERVICES, 9000, GET)[:, 1].tolist() == [False, True, False, False]


def test_a_verdict_says_whose_word_it_is():
    said = allowed(Admission((allow(OF_THE_SHOP),)), CALLERS[2], SERVICES[0], 80, GET)
    assert (said.allowed, said.why) == (False, "no rule of policy allow lets it in")
    said = allowed(Admission(groups=GROUPS), CALLERS[2], SERVICES[1], 80, GET)
    assert said.why == "no rule of security group sealed lets spy in"


def test_what_cannot_be_is_said():
    with pytest.raises(InputError, match="did you mean 'front'"):
        Admission(groups=(SecurityGroup("front", {"a": "b"}, (Ingress("frunt"),)),))
    with pytest.raises(InputError, match="neither an address nor a network"):
        Ingress(from_network="10.0.0.0/99")
    with pytest.raises(InputError, match="must rise"):
        Ingress(first_port=90, last_port=80)


def test_many_callers_and_services_at_once_are_told_what_each_is_told_alone():
    callers = [Identity(f"c{n}", f"n{n % 50}", f"s{n % 20}", f"10.0.{n // 250}.{n % 250}") for n in range(2000)]
    services = [Service(f"s{n}", namespace=f"n{n % 50}", labels={"app": str(n)}) for n in range(200)]
    thirds = Texts(tuple(f"n{n}" for n in range(0, 50, 3)))
    rule = Rule((Source(namespaces=thirds),), (Operation(methods=Texts(("GET",))),))
    admission = Admission(tuple(Policy(f"a{n}", Action.ALLOW, (rule,), f"n{n}") for n in range(50)))
    found = allowed_matrix(admission, callers, services, 80, GET)
    for caller, service in zip(range(0, 2000, 97), range(0, 200, 9), strict=False):
        assert found[caller, service] == allowed(admission, callers[caller], services[service], 80, GET).allowed
    assert found.mean() == pytest.approx(17 / 50)
