"""Istio's kinds and Kubernetes' services are read strictly: every field is known, and every mistake has its place."""

import json

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import MESH, SCHEDULING, parse_manifests
from skyedge.kube.istio_access import AuthorizationPolicy
from skyedge.kube.istio_hosts import ServiceEntry, WorkloadEntry
from skyedge.kube.istio_routes import VirtualService
from skyedge.kube.istio_traffic import DestinationRule
from skyedge.kube.istio_values import seconds
from skyedge.kube.problem import Problem
from skyedge.kube.services import EndpointSlice, Service


def manifest(kind, spec, group="networking.istio.io/v1"):
    return json.dumps({"apiVersion": group, "kind": kind, "metadata": {"name": "x"}, "spec": spec})


def route(**rule):
    return manifest("VirtualService", {"hosts": ["a"], "http": [rule]})


def rewrite(match, substitution):
    return route(route=TO, rewrite={"uriRegexRewrite": {"match": match, "rewrite": substitution}})


def policy(**said):
    return manifest("DestinationRule", {"host": "a", "trafficPolicy": said})


def read(text, **options):
    return parse_manifests(text, file="f.yaml", kinds=MESH, **options)


def mistake(text):
    with pytest.raises(InputError) as error:
        read(text)
    assert "\n" not in str(error.value)
    return str(error.value)


TO = [{"destination": {"host": "a"}}]

VIRTUAL_SERVICE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  gateways: [mesh, edge/door]
  exportTo: ["."]
  http:
  - name: canary
    match:
    - name: m
      uri: {prefix: /v2}
      scheme: {exact: https}
      method: {regex: GET|PUT}
      authority: {exact: reviews}
      headers: {x-user: {exact: jo}, x-any: {}}
      withoutHeaders: {x-off: {regex: "*"}}
      queryParams: {q: {exact: "1"}}
      port: 80
      sourceLabels: {app: web}
      sourceNamespace: shop
      gateways: [mesh]
      ignoreUriCase: true
      statPrefix: s
    route:
    - destination: {host: reviews, subset: v2, port: {number: 80}}
      weight: 90
      headers: {response: {remove: [server]}}
    - {destination: {host: reviews, subset: v1}, weight: 10}
    rewrite: {uri: /}
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 2s, retryOn: 5xx, retryRemoteLocalities: true, backoff: 10ms,
              retryIgnorePreviousHosts: false}
    fault:
      delay: {percentage: {value: 0.1}, fixedDelay: 5s}
      abort: {httpStatus: 500, percentage: {value: 1}}
    mirrors: [{destination: {host: shadow}, percentage: {value: 50}}]
    corsPolicy: {allowOrigins: [{exact: "https://a.com"}], allowMethods: [GET], maxAge: 24h, unmatchedPreflights: IGNORE}
    headers: {request: {set: {a: b}, add: {c: d}}}
  - match: [{uri: {exact: /old}}]
    redirect: {uri: /new, redirectCode: 308, derivePort: FROM_REQUEST_PORT}
  - match: [{uri: {exact: /teapot}}]
    directResponse: {status: 418, body: {string: short}}
  - {delegate: {name: other, namespace: shop}}
  tcp: [{match: [{port: 27017}], route: [{destination: {host: mongo}}]}]
"""

DESTINATION_RULE = """
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    loadBalancer:
      consistentHash: {httpCookie: {name: user, ttl: 0s}, ringHash: {minimumRingSize: 2048}}
      localityLbSetting:
        enabled: true
        distribute: [{from: "a/*", to: {"a/*": 80, "b/*": 20}}]
    connectionPool:
      tcp: {maxConnections: 10, connectTimeout: 30ms, tcpKeepalive: {time: 7200s}}
      http: {http1MaxPendingRequests: 1, http2MaxRequests: 5, maxRequestsPerConnection: 1, maxRetries: 2, idleTimeout: 1h}
    outlierDetection: {consecutive5xxErrors: 7, interval: 5m, baseEjectionTime: 15m, maxEjectionPercent: 50,
                       minHealthPercent: 10, consecutiveGatewayErrors: 3}
    portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]
    tls: {mode: ISTIO_MUTUAL}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
"""

OTHERS = """
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: labeller}
spec:
  hosts: [labels.example.com]
  ports: [{number: 443, name: https, protocol: TLS, targetPort: 8443}]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: {labels: {app: labeller}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-1}
spec: {address: 10.0.0.1, ports: {http: 8080}, labels: {app: labeller}, locality: eu/eu-1/a, weight: 3, network: vms,
       serviceAccount: labeller}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {egress: [{hosts: ["./*", "shop/*"]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers}
spec:
  selector: {matchLabels: {app: reviews}}
  action: ALLOW
  rules:
  - from: [{source: {principals: ["cluster.local/ns/shop/sa/web"], notNamespaces: [bad]}}]
    to: [{operation: {methods: [GET], paths: ["/info*"]}}]
    when: [{key: "request.headers[x-token]", values: [admin]}]
---
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, clusterIP: 10.1.1.1, ports: [{name: http, port: 80, targetPort: 8080}],
       trafficDistribution: PreferClose}
---
apiVersion: v1
kind: Endpoints
metadata: {name: reviews}
subsets: [{addresses: [{ip: 10.0.0.3, nodeName: n, targetRef: {kind: Pod, name: p}}], ports: [{port: 8080}]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.3], conditions: {ready: true, serving: true}, nodeName: n, zone: eu-1}]
ports: [{name: http, port: 8080, protocol: TCP}]
"""


# What is read.


def test_a_virtual_service_is_read_whole():
    spec = read(VIRTUAL_SERVICE).of(VirtualService)[0].object.spec
    canary = spec.http[0]
    assert canary.match[0].uri.prefix == "/v2"
    assert canary.match[0].headers["x-user"].exact == "jo"
    assert [one.weight for one in canary.route] == [90, 10]
    assert canary.retries.retry_remote_localities is True
    assert spec.http[2].direct_response.body.string == "short"
    assert spec.http[3].delegate.namespace == "shop"


def test_a_destination_rule_is_read_whole():
    spec = read(DESTINATION_RULE).of(DestinationRule)[0].object.spec
    assert spec.traffic_policy.outlier_detection.consecutive_5xx_errors == 7
    assert spec.traffic_policy.connection_pool.http.http1_max_pending_requests == 1
    assert spec.traffic_policy.load_balancer.locality_lb_setting.distribute[0].from_ == "a/*"
    assert [subset.name for subset in spec.subsets] == ["v1", "v2"]


def test_every_other_kind_is_read():
    manifests = read(OTHERS)
    assert len(manifests.by_type) == len(list(yaml.safe_load_all(OTHERS)))
    assert manifests.of(ServiceEntry)[0].object.spec.workload_selector.wanted == {"app": "labeller"}
    assert manifests.of(WorkloadEntry)[0].object.spec.locality == "eu/eu-1/a"
    assert manifests.of(AuthorizationPolicy)[0].object.spec.rules[0].to[0].operation.paths == ("/info*",)
    assert manifests.of(Service)[0].object.spec.ports[0].target_port == 8080
    assert manifests.of(EndpointSlice)[0].object.endpoints[0].zone == "eu-1"


@pytest.mark.parametrize("host", ["a", "a.b.", "*.a", "*-x.a", "*", "10.0.0.1", "fd00::1", "9a"])
def test_names_of_hosts_and_addresses_are_read(host):
    assert read(manifest("VirtualService", {"hosts": [host], "gateways": ["g"], "http": [{"route": TO}]}))


def test_what_has_no_bearing_is_named_once_and_is_an_error_where_strict():
    (warning,) = read(VIRTUAL_SERVICE).warnings()
    assert "spec.http[].match[].statPrefix" in warning
    with pytest.raises(InputError, match="statPrefix: the API knows this field"):
        read(VIRTUAL_SERVICE, strict=True)


def test_the_kinds_of_one_part_of_the_control_plane_are_passed_over_by_another():
    assert parse_manifests(VIRTUAL_SERVICE, kinds=SCHEDULING).warnings() == [
        "manifest: VirtualService: this kind has no part in this"
    ]
    queue = "apiVersion: scheduling.volcano.sh/v1beta1\nkind: Queue\nmetadata: {name: q}\n"
    assert read(queue).warnings() == ["f.yaml: Queue: this kind has no part in this"]


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("cert-manager.io/v1", "Certificate"),
        ("projectcalico.org/v3", "NetworkPolicy"),
    ],
)
def test_what_somebody_has_defined_is_passed_over_too(group, kind):
    given = read("\n---\n".join([manifest(kind, {}, group), manifest("DestinationRule", {"host": "a"})]))
    assert given.warnings() == [f"f.yaml: {kind}: this kind has no part in this"]
    assert given.of(DestinationRule)


def test_a_group_that_is_nearly_one_of_istios_is_a_mistake():
    with pytest.raises(InputError, match="there is no DestinationRule in") as caught:
        read(manifest("DestinationRule", {"host": "a"}, "networking.itsio.io/v1"))
    assert caught.value.nearest == "networking.istio.io/v1"


def test_the_share_of_a_retry_budget_is_a_number():
    said = manifest("DestinationRule", {"host": "a", "trafficPolicy": {"retryBudget": {"percent": 12.5}}})
    budget = read(said).of(DestinationRule)[0].object.spec.traffic_policy.retry_budget
    assert (budget.percent, budget.min_retry_concurrency) == (12.5, 3)


@pytest.mark.parametrize(
    ("text", "expected_s"), [("5s", 5), ("250ms", 0.25), ("1h30m", 5400), ("1.5s", 1.5), ("0", 0), ("2m3s", 123)]
)
def test_durations_are_gos(text, expected_s):
    assert seconds(text) == pytest.approx(expected_s)


@pytest.mark.parametrize("text", ["5", "s", "-1s", "5 s", "1d", "", "1s2"])
def test_what_is_no_duration_is_told_so(text):
    with pytest.raises(Problem, match="duration"):
        seconds(text)


# Mistakes.


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (route(route=TO, timeout="5"), "spec.http[0].timeout: '5' is no duration"),
        (route(route=TO, timeout=5), "spec.http[0].timeout: '5' is no duration"),
        (route(route=TO, timeout=2.5), "or 1h30m (did you mean '2.5s'?)"),
        (route(route=TO, timeout=-5), "spec.http[0].timeout: the duration '-5' is negative"),
        (route(route=TO, timeout=True), "spec.http[0].timeout: 'true' is no duration"),
        (route(route=TO, timeout=["5s"]), "spec.http[0].timeout: this should be a word, not a list"),
        (policy(outlierDetection={"interval": 10}), "outlierDetection.interval: '10' is no duration"),
        (policy(connectionPool={"tcp": {"connectTimeout": 1}}), "tcp.connectTimeout: '1' is no duration"),
        (
            manifest("SecurityGroup", {"labels": {"a": "b"}}, "skyedge/v1"),
            "spec.labels: the kind SecurityGroup has no field 'labels' here; there are selector, ingress",
        ),
        (
            manifest("SecurityGroup", {"igress": []}, "skyedge/v1"),
            "spec.igress: the kind SecurityGroup has no field 'igress' here (did you mean 'ingress'?)",
        ),
        (route(route=TO, timeout="5"), "did you mean '5s'?"),
        (route(route=TO, timeout="10us"), "spec.http[0].timeout: '10us' is too short"),
        (
            route(route=TO, match=[{"uri": {"exact": "/", "prefix": "/"}}]),
            "match[0].uri.prefix: only one of exact and prefix",
        ),
        (route(route=TO, match=[{"uri": {"prefx": "/"}}]), "did you mean 'prefix'?"),
        (route(route=TO, match=[{"uri": {}}]), "match[0].uri: one of exact, prefix, regex is needed"),
        (route(route=TO, match=[{"uri": {"regex": "(a"}}]), "match[0].uri.regex: '(a' is not a regular expression"),
        (route(route=TO, match=[{"headers": {"x": {"regex": "a(?=b)"}}}]), "x.regex: 'a(?=b)' is not a regular expression"),
        (route(route=TO, match=[{"uri": {"regex": "/a++"}}]), "uri.regex: '/a++' is not a regular expression"),
        (route(route=TO, match=[{"headers": {"x": {"exat": "a"}}}]), "match[0].headers.x.exat: the kind VirtualService has"),
        (route(route=TO, redirect={"uri": "/"}), "spec.http[0].redirect: only one of route and redirect"),
        (route(match=[{"uri": {"exact": "/"}}]), "spec.http[0]: one of route, redirect, directResponse, delegate is needed"),
        (route(route=TO, retries={"attempts": -1}), "spec.http[0].retries.attempts: -1 is negative"),
        (route(redirect={"redirectCode": 200}), "redirectCode: 200 is no status of a redirect"),
        (route(route=[{**TO[0], "weight": 0}] * 2), "spec.http[0].route: the weights are all zero"),
        (route(route=[{**TO[0], "weight": -1}]), "spec.http[0].route[0].weight: -1 is negative"),
        (route(route=TO, fault={"abort": {"httpStatus": 601}}), "fault.abort.httpStatus: 601 is more than 600"),
        (route(route=TO, fault={"delay": {"percentage": {"value": 120}}}), "percentage.value: 120 is more than 100"),
        (route(route=TO, fault={}), "fault: one of delay, abort is needed"),
        (route(route=TO, fault={"delay": {"percentage": {"value": 5}}}), "fault.delay: 'fixedDelay' is missing"),
        (route(route=TO, fault={"abort": {"percentage": {"value": 5}}}), "fault.abort: one of httpStatus, grpcStatus"),
        (route(route=TO, retries={"attempts": 2, "retryOn": "5xx,gateway-eror"}), "retries.retryOn: 'gateway-eror' is no"),
        (route(route=TO, retries={"attempts": 2, "retryOn": "999"}), "'999' is no condition of Envoy and no HTTP status"),
        (route(route=TO, retries={"attempts": 0, "perTryTimeout": "1s"}), "retries.attempts: 0 attempts are no retries"),
        (route(route=TO, rewrite={}), "rewrite: one of uri, uriRegexRewrite, authority is needed"),
        (rewrite("/(.*)", r"\2"), "uriRegexRewrite.rewrite: there is no group 2 to put in: '/(.*)' has only 1 group"),
        (rewrite("/a", r"\1"), "there is no group 1 to put in: '/a' has no group"),
        (rewrite("/(a)", r"\g<1>"), "uriRegexRewrite.rewrite: '\\g<1>': after a backslash RE2 wants a digit"),
        (rewrite("/(a)", "\\"), "after a backslash RE2 wants a digit or another backslash"),
        (route(redirect={}), "redirect: a redirect names an address"),
        (route(directResponse={"status": 200}, rewrite={"uri": "/"}), "rewrite: a rule that answers sends nothing"),
        (manifest("VirtualService", {"hosts": ["a"]}), "spec: one of http, tcp, tls is needed"),
        (
            manifest("VirtualService", {"gateways": ["mesh"], "http": [{"route": TO}]}),
            "spec.gateways: without hosts this is",
        ),
        (manifest("VirtualService", {"hosts": ["a", "b", "a"], "http": [{"route": TO}]}), "hosts[2]: the host 'a' is there"),
        (manifest("VirtualService", {"hosts": ["*"], "http": [{"route": TO}]}), "hosts[0]: inside the mesh '*' is no host"),
        (policy(loadBalancer={"simple": "ROUND_ROBBIN"}), "did you mean 'ROUND_ROBIN'?"),
        (policy(loadBalancer={"consistentHash": {}}), "loadBalancer.consistentHash: one of httpHeaderName"),
        (policy(loadBalancer={"consistentHash": {"httpHeaderName": ""}}), "httpHeaderName: this should not be empty"),
        (policy(loadBalancer={"consistentHash": {"httpCookie": {"name": ""}}}), "httpCookie.name: this should not be empty"),
        (
            policy(loadBalancer={"consistentHash": {"useSourceIp": True, "ringHash": {"minimumRingSize": 8_388_609}}}),
            "ringHash.minimumRingSize: 8388609 is more than 8388608",
        ),
        (manifest("DestinationRule", {"host": ""}), "spec.host: this should not be empty"),
        (manifest("DestinationRule", {"host": "a b"}), "spec.host: 'a b' is no name of a host"),
        (manifest("ServiceEntry", {"hosts": ["a_b"]}), "spec.hosts[0]: 'a_b' is no name of a host"),
        (
            manifest("VirtualService", {"hosts": ["*.*"], "http": [{"route": TO}]}),
            "hosts[0]: '*.*' is no name of a host; a '*'",
        ),
        (manifest("VirtualService", {"hosts": ["a", ""], "http": [{"route": TO}]}), "hosts[1]: this should not be empty"),
        (manifest("Sidecar", {"egress": [{"hosts": []}]}), "egress[0].hosts: this should not be empty"),
        (policy(loadBalancer={"consistentHash": {"useSourceIp": True, "maglev": {"tableSize": 10}}}), "not a prime"),
        (policy(loadBalancer={"simple": "RANDOM", "consistentHash": {"useSourceIp": True}}), "only one of simple and"),
        (policy(loadBalancer={"localityLbSetting": {"distribute": [{"from": "a", "to": {"b": 60}}]}}), "come to 60"),
        (policy(loadBalancer={"localityLbSetting": {"failover": [{"from": "a", "to": "a"}]}}), "take over from itself"),
        (policy(outlierDetection={"consecutive5xxError": 1}), "did you mean 'consecutive5xxErrors'?"),
        (policy(outlierDetection={"interval": "0s"}), "outlierDetection.interval: '0s' is too short"),
        (
            manifest("DestinationRule", {"host": "a", "subsets": [{"name": "v"}] * 2}),
            "subsets[1].name: there is a subset 'v'",
        ),
        (manifest("DestinationRule", {"subsets": []}), "spec: 'host' is missing"),
        (manifest("Sidecar", {"egress": [{"hosts": ["a"]}]}), "hosts[0]: 'a' needs a namespace before it"),
        (manifest("WorkloadEntry", {"address": "1.1.1.1", "locality": "a/b/c/d"}), "spec.locality: a locality has region"),
        (manifest("ServiceEntry", {"hosts": ["a"], "endpoints": [{"address": "x"}]}), "resolution NONE"),
        (manifest("VirtualServce", {}), "did you mean 'VirtualService'?"),
        (manifest("VirtualService", {}, "networking.istio.io/v2"), "there is no VirtualService in 'networking.istio.io/v2'"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(text, sentence):
    said = mistake(text)
    assert said.startswith("f.yaml:1 (document 1)")
    assert sentence in said
