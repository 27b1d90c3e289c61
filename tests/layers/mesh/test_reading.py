"""Manifests become a mesh: names are completed, delegates put in place, and what can never work is said with its place."""

import re

import pytest

from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.http_match import How, HttpRequest
from skyedge.layers.mesh.http_route import answer
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import Balancer, RunsIn, effective_policy
from skyedge.layers.mesh.reading import Gatekeeper, read_behaviours, read_controls, read_mesh
from skyedge.layers.mesh.traffic import By, Shape
from skyedge.layers.mesh.virtual_hosts import VirtualHosts

NODE = """
apiVersion: v1
kind: Node
metadata: {name: n, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-1}}
"""


def pod(name, app, version="v1", namespace="default", **annotations):
    said = ", ".join(f'skyedge.io/{key.replace("_", "-")}: "{value}"' for key, value in annotations.items())
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {app}, version: {version}}}, annotations: {{{said}}}}}
spec: {{nodeName: n, serviceAccountName: {app}, containers: [{{name: c}}]}}
"""


def service(name, namespace="default", extra=""):
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}{extra}}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
"""


def virtual(http, name="r", hosts="[a]", namespace="default", extra=""):
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{hosts: {hosts}, http: {http}{extra}}}
"""


def rule(spec, name="a", namespace="default"):
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: {namespace}}}
spec: {spec}
"""


A = [NODE, service("a"), pod("a1", "a"), pod("a2", "a", "v2")]
SUBSETS = rule("{host: a, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}")
TO_A = "[{route: [{destination: {host: a}}]}]"


def manifests(*texts):
    return parse_manifests("\n---\n".join(texts), file="f.yaml", kinds=MESH)


def read(*texts):
    return read_mesh(manifests(*texts))


def mistake(*texts):
    with pytest.raises(InputError) as error:
        read(*texts)
    assert "\n" not in str(error.value)
    return str(error.value)


def mesh(*texts, caller="a1"):
    reading = read(*texts)
    return reading.mesh_for(reading.caller(caller))


# Services and endpoints.


def test_pods_answer_for_the_service_that_selects_them_where_their_node_is():
    endpoints = mesh(*A).endpoints
    assert [one.address for one in endpoints] == ["a1", "a2"]
    assert {one.locality for one in endpoints} == {Locality("eu", "eu-1")}
    assert {(one.service, one.port, one.runs_in) for one in endpoints} == {
        ("a.default.svc.cluster.local", 8080, RunsIn.CONTAINER)
    }


def test_slices_count_before_selectors_and_take_labels_from_their_pods():
    part = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a-1, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
endpoints:
- {addresses: [10.0.0.1], targetRef: {kind: Pod, name: a2}, nodeName: n}
- {addresses: [10.0.0.2], zone: eu-1, conditions: {ready: false}}
- {addresses: [10.0.0.3], conditions: {terminating: true}}
ports: [{port: 9000}]
"""
    first, second = mesh(*A, part).endpoints
    assert (first.address, first.labels["version"], first.port) == ("10.0.0.1", "v2", 9000)
    assert (second.locality, second.healthy) == (Locality("eu", "eu-1"), False)


def test_machines_outside_answer_beside_pods():
    entries = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm}
spec: {address: 10.9.0.1, labels: {app: a}, locality: us/us-1, weight: 3, ports: {http: 1234}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: metal, annotations: {skyedge.io/runs-in: bare-metal}}
spec: {address: 10.9.0.2, labels: {app: a}}
"""
    found = {one.address: one for one in mesh(*A, entries).endpoints}
    assert (found["10.9.0.1"].runs_in, found["10.9.0.2"].runs_in) == (RunsIn.VIRTUAL_MACHINE, RunsIn.BARE_METAL)
    vm = found["10.9.0.1"]
    assert (vm.locality, vm.weight, vm.port) == (Locality("us", "us-1"), 3, 1234)
    assert len(found) == 4


def test_a_service_entry_brings_hosts_of_its_own():
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e}
spec: {hosts: [x.example.com, y.example.com], ports: [{number: 443, name: https, protocol: HTTPS}], resolution: %s}
"""
    assert [one.address for one in mesh(*A, entry % "DNS").endpoints][-2:] == ["x.example.com", "y.example.com"]
    assert "nobody answers for 'x.example.com'" in " ".join(read(*A, entry % "STATIC").warnings)


def test_a_pod_that_has_ended_or_has_no_node_does_not_answer():
    waiting = pod("w", "a").replace("nodeName: n, ", "")
    ended = pod("e", "a") + "status: {phase: Failed}"
    assert [one.address for one in mesh(*A, waiting, ended).endpoints] == ["a1", "a2"]


def test_a_pod_that_waits_for_its_address_is_nobodys_endpoint_and_is_named():
    starting = pod("s", "a") + "status: {phase: Pending, hostIP: 10.0.0.1}"
    reading = read(*A, starting)
    assert [one.address for one in reading.endpoints] == ["a1", "a2"]
    (said,) = reading.warnings
    assert said.endswith("status: the pod 's' has no podIP yet, so nobody can ask it")


@pytest.mark.parametrize(
    ("status", "address"),
    [
        ("", "s"),
        ("status: {}", "s"),
        ("status: {phase: Running}", "s"),
        ("status: {phase: Pending, podIP: 10.0.0.9}", "10.0.0.9"),
        ("status: {phase: Running, podIP: 10.0.0.9}", "10.0.0.9"),
    ],
)
def test_a_pod_is_known_by_its_address_or_by_its_name_where_the_file_says_none(status, address):
    reading = read(*A, pod("s", "a") + status)
    assert {one.address for one in reading.endpoints} == {"a1", "a2", address}
    assert not reading.warnings


def test_an_unready_node_makes_its_pods_unwell():
    down = NODE + "status: {conditions: [{type: Ready, status: Unknown}]}"
    assert not any(one.healthy for one in mesh(down, *A[1:]).endpoints)
    assert "nobody who answers for 'a.default.svc.cluster.local' is ready" in read(down, *A[1:]).warnings[0]


# Routes.


def routed(texts, caller="a1", **request):
    reading = read(*texts)
    who = reading.caller(caller)
    host = VirtualHosts(reading.mesh_for(who), who).find(request.get("host", "a"))
    asked = HttpRequest(**{"host": "a", **request}, gateway=who.gateway, source_namespace=who.namespace)
    return host, answer(host.routes, asked)


def test_short_names_are_completed_by_the_namespace_of_the_manifest():
    there = virtual("[{route: [{destination: {host: b}}]}]", hosts="[a.default.svc.cluster.local]", namespace="shop")
    texts = [*A, service("b", "shop"), pod("b1", "b", namespace="shop"), there]
    host, outcome = routed(texts, host="a.default")
    assert host.routes[outcome.route].destinations[0].host == "b.shop.svc.cluster.local"


def test_all_of_a_rule_is_carried_over():
    http = """[{name: n, match: [{headers: {x: {}, y: {regex: "*"}}, uri: {prefix: /}}], timeout: 2s,
      retries: {attempts: 2, perTryTimeout: 250ms, retryOn: 5xx}, fault: {delay: {fixedDelay: 3s, percentage: {value: 10}},
      abort: {grpcStatus: UNAVAILABLE, percentage: {value: 5}}}, mirror: {host: a, subset: v2}, rewrite: {uri: /new},
      corsPolicy: {allowOrigins: [{exact: o}], maxAge: 1h}, headers: {request: {set: {p: q}}},
      route: [{destination: {host: a, subset: v1, port: {number: 80}}, weight: 1, headers: {response: {remove: [s]}}}]}]"""
    (route,) = mesh(*A, SUBSETS, virtual(http)).virtual_services[0].http
    assert {match.how for match in route.matches[0].headers.values()} == {How.PRESENT}
    assert (route.timeout_s, route.retries.attempts, route.retries.per_try_timeout_s) == (2, 2, 0.25)
    assert (route.delay.fixed_s, route.delay.percent, route.abort.grpc_status, route.abort.percent) == (3, 10, 14, 5)
    assert (route.mirrors[0].destination.subset, route.mirrors[0].percent) == ("v2", 100)
    assert (route.rewrite.uri, route.cors.max_age_s, route.request_headers.set) == ("/new", 3600, {"p": "q"})
    (to,) = route.destinations
    assert (to.subset, to.port, to.response_headers.remove) == ("v1", 80, ("s",))


def test_a_delegate_takes_what_its_root_hands_on_and_inherits_what_it_does_not_say():
    root = virtual(
        "[{match: [{uri: {prefix: /shop}}], delegate: {name: d}, timeout: 3s}, {route: [{destination: {host: a}}]}]"
    )
    leaf = virtual(
        "[{name: l, match: [{uri: {prefix: /shop/x}}], route: [{destination: {host: a, subset: v2}}]},"
        " {match: [{uri: {prefix: /other}}], route: [{destination: {host: a}}]}]",
        name="d",
        hosts="[]",
    )
    reading = read(*A, SUBSETS, root, leaf)
    first, last = reading.mesh_for(reading.caller("a1")).virtual_services[0].http
    assert (first.matches[0].uri.value, first.timeout_s, first.name) == ("/shop/x", 3, "l")
    assert last.matches == ()
    assert "no request that f.yaml:" in reading.warnings[0]


def test_a_gateway_has_hosts_and_routes_of_its_own():
    door = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: {selector: {app: ingress}, servers: [{port: {number: 80}, hosts: ["a.example.com"]}]}
"""
    texts = [*A, door, virtual(TO_A, hosts="[a.example.com, b.example.com]", extra=", gateways: [door]")]
    reading = read(*texts, pod("i", "ingress"))
    assert reading.caller("default/door").locality == Locality("eu", "eu-1")
    gateway, inside = (reading.mesh_for(reading.caller(name)) for name in ("default/door", "a1"))
    assert gateway.virtual_services[0].hosts == ("a.example.com",)
    assert routed(texts, "default/door", host="a.example.com")[1].status == 200
    assert VirtualHosts(inside, reading.caller("a1")).find("a.example.com") is None


def test_what_is_not_exported_is_not_seen_from_elsewhere():
    texts = [*A, service("b", "shop"), pod("b1", "b", namespace="shop"), SUBSETS]
    hidden = virtual("[{route: [{destination: {host: a, subset: v2}}]}]", extra=', exportTo: ["."]')
    reading = read(*texts, hidden)
    here, there = (reading.mesh_for(reading.caller(name)) for name in ("a1", "shop/b1"))
    assert (len(here.virtual_services), len(there.virtual_services)) == (1, 0)
    private = service("a", extra=", annotations: {networking.istio.io/exportTo: .}")
    assert [one.host for one in mesh(*texts, caller="b1").services] != []
    seen = mesh(NODE, private, *A[2:], *texts[4:6], caller="shop/b1").services
    assert [one.host for one in seen] == ["b.shop.svc.cluster.local"]


def test_a_sidecar_narrows_what_its_namespace_sees():
    sidecar = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {egress: [{hosts: ["./*"]}]}
"""
    texts = [*A, service("b", "shop"), pod("b1", "b", namespace="shop"), sidecar]
    assert len(mesh(*texts).services) == 1
    assert len(mesh(*texts, caller="b1").services) == 2


def test_a_sidecar_of_the_root_namespace_holds_for_all_that_have_none_each_in_its_own_place():
    def sidecar(namespace, host, name="default", created=""):
        stamp = f", creationTimestamp: '{created}'" if created else ""
        return f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name}, namespace: {namespace}{stamp}}}
spec: {{egress: [{{hosts: ["{host}"]}}]}}
"""

    texts = [*A, service("b", "shop"), pod("b1", "b", namespace="shop"), sidecar("istio-system", "./*")]

    def seen(*more):
        return [[one.host[0] for one in mesh(*texts, *more, caller=caller).services] for caller in ("a1", "b1")]

    assert seen() == [["a"], ["b"]]
    assert seen(sidecar("shop", "*/*")) == [["a"], ["a", "b"]]
    two = (sidecar("shop", "default/*", "a", "2025-01-01T00:00:00Z"), sidecar("shop", "*/*", "b", "2024-01-01T00:00:00Z"))
    assert seen(*two) == [["a"], ["a", "b"]]  # of two the older counts


# Destination rules.


def test_a_rule_in_the_callers_namespace_counts_before_the_services_own():
    mine = rule("{host: a.default.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}}", "m", "shop")
    own = rule("{host: a, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}")
    everywhere = rule("{host: '*', trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}", "w", "istio-system")
    texts = [*A, service("b", "shop"), pod("b1", "b", namespace="shop"), own, mine, everywhere]

    def balancers(caller):
        return {one.host.partition(".")[0]: one.policy.balancer for one in mesh(*texts, caller=caller).rules}

    assert balancers("a1") == {"a": Balancer.ROUND_ROBIN, "b": Balancer.PASSTHROUGH}
    assert balancers("b1") == {"a": Balancer.RANDOM, "b": Balancer.PASSTHROUGH}


def test_two_rules_for_one_host_are_one_with_the_subsets_of_both():
    second = rule("{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v3, labels: {app: a}}]}", "b")
    reading = read(*A, SUBSETS, second)
    (one,) = reading.mesh_for(reading.caller("a1")).rules
    assert [subset.name for subset in one.subsets] == ["v1", "v2", "v3"]
    assert one.policy.balancer is Balancer.RANDOM
    assert "has a rule in 'default' already" in reading.warnings[0]
    assert "of this one its policy and subsets of other names count" in reading.warnings[0]


def named(name, spec, created="", namespace="default"):
    stamp = f", creationTimestamp: '{created}'" if created else ""
    return rule(spec, name, namespace).replace(f"namespace: {namespace}}}", f"namespace: {namespace}{stamp}}}")


def test_of_several_rules_for_one_host_the_oldest_policy_and_of_equal_subsets_the_oldest_count():
    late = "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v, labels: {version: v2}}]}"
    early = """{host: a.default.svc.cluster.local, exportTo: ["*"], subsets: [{name: v, labels: {version: v1}}],
      trafficPolicy: {outlierDetection: {consecutive5xxErrors: 7}}}"""
    texts = [named("a", late, "2025-01-01T00:00:00Z"), named("z", early, "2024-01-01T00:00:00Z")]
    for order in (texts, texts[::-1]):
        reading = read(*A, *order)
        (one,) = reading.mesh_for(reading.caller("a1")).rules
        assert (one.name, [subset.labels for subset in one.subsets]) == ("z", [{"version": "v1"}])
        assert one.policy.load_balancing is None  # a policy is taken whole, and not setting by setting
        assert one.policy.outlier.consecutive_5xx_errors == 7
        assert "and the two are one; of this one only subsets of other names count" in reading.warnings[0]


def test_an_empty_policy_is_a_policy():
    second = named("b", "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}}")
    (one,) = mesh(*A, named("a", "{host: a, trafficPolicy: {}}"), second).rules
    assert one.policy.load_balancing is None


def test_rules_that_are_shown_to_different_namespaces_are_not_one():
    private = named("a", "{host: a, exportTo: ['.'], trafficPolicy: {loadBalancer: {simple: RANDOM}}}")
    public = named("b", "{host: a, exportTo: [other], trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}")
    texts = (*A, service("b", "other"), pod("b1", "b", namespace="other"), private, public)
    assert [mesh(*texts, caller=caller).rules[0].policy.balancer for caller in ("a1", "b1")] == [
        Balancer.RANDOM,
        Balancer.ROUND_ROBIN,
    ]


def test_to_a_gateway_in_the_root_namespace_the_rules_for_the_whole_mesh_come_last_too():
    door = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door, namespace: istio-system}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""
    everywhere = "{host: '*.local', trafficPolicy: {loadBalancer: {simple: RANDOM}}}"
    own = rule("{host: a, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}")

    def balancer(root):
        reading = read(*A, door, own, rule(root, "everywhere", "istio-system"))
        return reading.mesh_for(reading.caller("istio-system/door")).rules[0].policy.balancer

    assert balancer(everywhere) is Balancer.ROUND_ROBIN
    assert balancer(everywhere.replace("host:", "exportTo: ['.'], host:")) is Balancer.RANDOM


def test_a_subsets_word_counts_before_a_ports_and_that_before_the_rules():
    spec = """{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}, outlierDetection: {consecutive5xxErrors: 7},
      portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]},
      subsets: [{name: v1, labels: {version: v1},
                 trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: u, maglev: {}}}}}]}"""
    (one,) = mesh(*A, rule(spec)).rules
    assert effective_policy(one).outlier.consecutive_5xx_errors == 7
    assert effective_policy(one, port=80).balancer is Balancer.ROUND_ROBIN
    assert effective_policy(one, port=80).outlier is None
    assert effective_policy(one, "v1", 80).balancer is Balancer.MAGLEV


def test_a_port_of_a_subset_takes_the_place_of_all_that_is_wider():
    spec = """{host: a, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 7}},
      subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM},
                 portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]}}]}"""
    (one,) = mesh(*A, rule(spec)).rules
    narrow, other = effective_policy(one, "v1", 80), effective_policy(one, "v1", 81)
    assert (narrow.balancer, narrow.outlier) == (Balancer.ROUND_ROBIN, None)
    assert (other.balancer, other.outlier.consecutive_5xx_errors) == (Balancer.RANDOM, 7)


# What can never work.

TO_V3 = "[{route: [{destination: {host: a, subset: v3}}]}]"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            [virtual("[{route: [{destination: {host: aa}}]}]")],
            "spec.http[0].route[0].destination.host: there is no service 'aa'",
        ),
        ([virtual("[{route: [{destination: {host: aa}}]}]")], "did you mean 'a'?"),
        ([virtual("[{route: [{destination: {host: a.default}}]}]")], "did you mean 'a.default.svc.cluster.local'?"),
        ([virtual(TO_V3)], "destination.subset: no DestinationRule for 'a.default.svc.cluster.local' has a subset 'v3'"),
        ([SUBSETS, virtual(TO_V3.replace("v3", "v1a"))], "has a subset 'v1a' (did you mean 'v1'?)"),
        (
            [rule("{host: a, subsets: [{name: v3, labels: {version: v3}}]}"), virtual(TO_V3)],
            "nobody answers for the subset 'v3' of 'a.default.svc.cluster.local': no endpoint has version=v3",
        ),
        ([virtual("[{route: [{destination: {host: a, port: {number: 81}}}]}]")], "has no port 81; it has 80"),
        ([service("b"), virtual("[{route: [{destination: {host: b}}]}]")], "nobody answers for 'b.default"),
        (
            [virtual("[{route: [{destination: {host: a}, weight: 0}, {destination: {host: a}}]}]")],
            "the weights are all zero",
        ),
        ([virtual("[{delegate: {name: d}}]")], "delegate.name: there is no VirtualService 'd' in 'default'"),
        (
            [virtual("[{delegate: {name: d}}]"), virtual("[]", "d", "[]", extra=f", tcp: {TO_A}")],
            "delegate.name: 'd' has no rules of HTTP",
        ),
        ([virtual(TO_A, extra=", gateways: [door]")], "spec.gateways[0]: there is no gateway 'default/door'"),
        ([virtual(TO_A), virtual(TO_A)], "there is a VirtualService 'r' in 'default' already: f.yaml:"),
        ([service("a")], "there is a service 'a.default.svc.cluster.local' already"),
        (
            [virtual("[{mirror: {host: z}, route: [{destination: {host: a}}]}]")],
            "spec.http[0].mirror.host: there is no service",
        ),
        ([virtual("[]", extra=", tcp: [{route: [{destination: {host: z}}]}]")], "spec.tcp[0].route[0].destination.host"),
    ],
)
def test_what_can_never_work_is_one_sentence_with_its_place(texts, sentence):
    said = mistake(*A, *texts)
    assert said.startswith("f.yaml:")
    assert sentence in said


def test_a_policy_that_selects_nothing_is_an_error():
    policy = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: %s}
spec: {selector: {matchLabels: {app: %s}}}
"""
    assert "nothing that runs in 'default' has app=b, so the policy selects nothing" in mistake(
        *A, policy % ("default", "b")
    )
    assert "nothing runs in 'shop'" in mistake(*A, policy % ("shop", "a"))


# What is legal and useless.


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            [
                virtual(
                    "[{route: [{destination: {host: a}}]}, {match: [{uri: {exact: /x}}], route: [{destination: {host: a}}]}]"
                )
            ],
            "spec.http[1]: no request ever reaches this rule: f.yaml:",
        ),
        ([virtual(TO_A), virtual(TO_A, "second")], "inside the mesh this is not used: the older VirtualService 'r'"),
        (
            [rule("{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}, {port: {number: 81}}]}}")],
            "portLevelSettings[1].port.number: 'a.default.svc.cluster.local' has no port 81, only 80: not used",
        ),
        ([rule("{host: b}")], "there is no service 'b.default.svc.cluster.local': not used"),
        ([rule("{host: a, subsets: [{name: v3, labels: {version: v3}}]}")], "nobody who answers for 'a.default"),
        (
            [rule("{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: x, to: y}]}}}}")],
            "priorities by locality need outlierDetection",
        ),
        ([virtual("[{fault: {abort: {httpStatus: 500}}, route: [{destination: {host: a}}]}]")], "this strikes no request"),
        ([virtual(TO_A, hosts="[b]")], "there is no service 'b.default.svc.cluster.local', so nobody inside calls it"),
        ([virtual(TO_A, "d", hosts="[]")], "without hosts this is for others to delegate to, and nobody does"),
        ([service("b")], "nobody answers for 'b.default.svc.cluster.local'"),
        ([pod("a3", "a").replace("nodeName: n", "nodeName: m")], "there is no node 'm'"),
    ],
)
def test_what_is_useless_is_a_warning_with_its_place(texts, sentence):
    (warning,) = read(*A, *texts).warnings
    assert warning.startswith("f.yaml:")
    assert sentence in warning


def test_nothing_is_said_of_a_mesh_that_is_in_order():
    assert read(*A, SUBSETS, virtual("[{route: [{destination: {host: a, subset: v1}}]}]")).warnings == ()


# Callers, access, behaviour.


def test_a_caller_is_a_workload_or_a_locality():
    reading = read(*A)
    assert reading.caller("default/a1").node == "n"
    assert reading.caller("eu").locality == Locality("eu")
    assert reading.caller("eu/eu-1").locality == Locality("eu", "eu-1")
    with pytest.raises(InputError, match="'a11' is no workload, no gateway and no locality"):
        reading.caller("a11")


def test_who_may_call_is_decided_by_the_called_ones_policies():
    policies = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow}
spec:
  selector: {matchLabels: {app: a}}
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/b]}}], to: [{operation: {paths: ["/x*"]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny}
spec: {action: DENY, rules: [{when: [{key: "request.headers[x-bad]", values: ["*"]}]}]}
"""
    reading = read(*A, service("b"), pod("b1", "b"), policies)
    keeper = Gatekeeper(reading)
    (to,) = [one for one in reading.endpoints if one.address == "a1"]
    a, b = reading.caller("a2"), reading.caller("b1")
    assert keeper.allows(b, to, HttpRequest("a", "/x/1"))
    assert not keeper.allows(b, to, HttpRequest("a", "/y"))
    assert not keeper.allows(a, to, HttpRequest("a", "/x/1"))
    assert keeper.verdict(b, to, HttpRequest("a", "/x/1", headers={"x-bad": "1"})).why == "policy default/deny keeps it out"
    (other,) = [one for one in reading.endpoints if one.address == "b1"]
    assert keeper.allows(a, other, HttpRequest("b"))


def test_without_certificates_nobody_is_known():
    policies = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow}
spec: {rules: [{from: [{source: {namespaces: [default]}}]}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: %s}}
"""
    for mode, expected in (("STRICT", True), ("DISABLE", False)):
        reading = read(*A, policies % mode)
        assert Gatekeeper(reading).allows(reading.caller("a1"), reading.endpoints[0], HttpRequest("a")) is expected


def test_a_service_that_insists_on_certificates_refuses_whoever_has_no_proxy():
    strict = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""
    bare = pod("b1", "b").replace("version: v1", 'version: v1, sidecar.istio.io/inject: "false"')
    reading = read(*A, service("b"), bare, strict)
    keeper = Gatekeeper(reading)
    assert keeper.allows(reading.caller("a2"), reading.endpoints[0], HttpRequest("a"))
    verdict = keeper.verdict(reading.caller("b1"), reading.endpoints[0], HttpRequest("a"))
    assert verdict.why == "a.default.svc.cluster.local insists on mutual TLS and default/b1 has no proxy"


def test_annotations_say_how_endpoints_behave():
    quick = pod(
        "a3", "a", service_time="5ms", service_time_shape="constant", failing="0.2", failing_from="1s", calls="b:0.5"
    )
    limited = service("b", extra=", annotations: {skyedge.io/rate-limit: 10/second by source, skyedge.io/concurrency: '3'}")
    given = manifests(*A, quick, limited, pod("b1", "b"))
    reading = read_mesh(given)
    behaviours = read_behaviours(given, reading)
    one = behaviours.of("a.default.svc.cluster.local", "a3")
    assert (one.service_time.mean_ms, one.service_time.shape) == (5, Shape.CONSTANT)
    assert (one.failing[0].share, one.failing[0].start_us) == (0.2, 1_000_000)
    assert (one.calls[0].service, one.calls[0].count) == ("b.default.svc.cluster.local", 0.5)
    assert behaviours.of("b.default.svc.cluster.local", "b1").concurrency == 3
    (limit,) = read_controls(given, reading).rate_limits["b.default.svc.cluster.local"]
    assert (limit.bucket.max_tokens, limit.by) == (10, By.SOURCE)


@pytest.mark.parametrize(
    ("annotations", "sentence"),
    [
        ({"service_time": "5"}, "skyedge.io/service-time']: '5' is no duration"),
        (
            {"servce_time": "5ms"},
            "there is no annotation 'skyedge.io/servce-time' (did you mean 'skyedge.io/service-time'?)",
        ),
        ({"failing": "2"}, "a share is from 0 to 1, and 2 is not"),
        ({"failing_from": "2s"}, "this means nothing without skyedge.io/failing"),
        ({"calls": "x"}, "there is no service 'x'"),
        ({"service_time_shape": "normal"}, "this should be one of constant"),
        ({"concurrency": "0"}, "this should be a whole number of at least 1"),
    ],
)
def test_an_annotation_that_says_nothing_sensible_is_one_sentence_with_its_place(annotations, sentence):
    given = manifests(*A, pod("a3", "a", **annotations))
    with pytest.raises(InputError) as error:
        read_behaviours(given, read_mesh(given))
    assert str(error.value).startswith("f.yaml:")
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        (
            "{prefix: api}",
            r"match\[0\].uri.prefix: no path meets this, as each begins with a slash \(did you mean '/api'\?\)",
        ),
        ("{exact: '/a?b=1'}", r"match\[0\].uri.exact: no path meets this, as a path ends before its '\?'"),
        ("{exact: '*'}", None),
        ("{regex: 'api.*'}", None),
    ],
)
def test_a_condition_that_no_path_can_meet_is_named(uri, sentence):
    reading = read(*A, virtual(f"[{{match: [{{uri: {uri}}}], route: [{{destination: {{host: a}}}}]}}]"))
    found = [warning for warning in reading.warnings if "no path meets this" in warning]
    assert len(found) == (sentence is not None)
    assert sentence is None or re.search(sentence, found[0])
