"""What Istio's webhook refuses is refused here too, with the place and a sentence; what it takes is taken."""

import json

import pytest

from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.kube.istio_names import overlap

TO = [{"destination": {"host": "a"}}]
PORT = {"number": 80, "name": "http", "protocol": "HTTP"}


def manifest(kind, spec, **metadata):
    group = "security" if kind in ("AuthorizationPolicy", "PeerAuthentication") else "networking"
    head = {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": {"name": "x", "namespace": "here", **metadata}}
    return json.dumps({**head, "spec": spec})


def route(**rule):
    return manifest("VirtualService", {"hosts": ["a"], "http": [{"route": TO, **rule}]})


def virtual(**spec):
    return manifest("VirtualService", {"hosts": ["a"], "http": [{"route": TO}], **spec})


def policy(**said):
    return manifest("DestinationRule", {"host": "a", "trafficPolicy": said})


def balance(**setting):
    return policy(loadBalancer={"localityLbSetting": setting})


def distribute(to):
    return balance(distribute=[{"from": "x", "to": to}])


def entry(**spec):
    return manifest("ServiceEntry", {"hosts": ["a.org"], "ports": [PORT], "resolution": "STATIC", **spec})


def access(**spec):
    return manifest("AuthorizationPolicy", spec)


def source(**said):
    return access(rules=[{"from": [{"source": said}]}])


def operation(**said):
    return access(rules=[{"to": [{"operation": said}]}])


def door(*hosts, **port):
    return manifest("Gateway", {"servers": [{"hosts": list(hosts), "port": {**PORT, **port}}]})


def dry(word, **spec):
    return manifest("AuthorizationPolicy", spec, annotations={"istio.io/dry-run": word})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (route(match=[{"headers": {"a b": {"exact": "x"}}}]), "match[0].headers.a b: 'a b' is no name of a header"),
        (route(headers={"request": {"set": {"": "x"}}}), "headers.request.set.: a header has a name"),
        (route(headers={"response": {"remove": ["x", ""]}}), "headers.response.remove[1]: a header has a name"),
        (route(headers={"request": {"add": {"x": "5%"}}}), "headers.request.add.x: '5%': a '%' alone begins a command"),
        (
            route(headers={"request": {"set": {"Host": "b"}}}, rewrite={"authority": "c"}),
            "the host of a request is set twice",
        ),
        (route(corsPolicy={"allowMethods": ["GTE"]}), "allowMethods[0]: there is no method 'GTE' (did you mean 'GET'?)"),
        (route(corsPolicy={"allowHeaders": [""]}), "corsPolicy.allowHeaders[0]: a header has a name"),
        (route(corsPolicy={"maxAge": "1500ms"}), "corsPolicy.maxAge: '1500ms' is no whole number of seconds"),
        (route(corsPolicy={"allowOrigins": [{"exact": ""}]}), "allowOrigins[0]: an empty text is no origin"),
        (route(timeout="1.0000005s"), "timeout: '1.0000005s' is no whole number of milliseconds"),
        (route(retries={"attempts": 0, "retryRemoteLocalities": True}), "retries.attempts: 0 attempts are no retries"),
        (route(rewrite={"uriRegexRewrite": {"match": "/a"}}), "uriRegexRewrite.rewrite: this should not be empty"),
        (route(match=[{"gateways": ["here/*"]}]), "match[0].gateways[0]: 'here/*' is no name of a gateway"),
        (virtual(http=[{"route": [{"destination": {"host": "*"}}]}]), "destination.host: '*' is no service"),
        (virtual(http=[{"directResponse": {"status": 200, "body": {"string": "x" * 2**21}}}]), "2097152 bytes is too long"),
        (virtual(hosts=["*.a", "b.a"]), "spec.hosts[1]: the host 'b.a' and '*.a' stand for the same hosts"),
        (virtual(gateways=["a@b"]), "spec.gateways[0]: 'a@b' is no name of a gateway"),
        (
            virtual(http=[{"route": TO, "match": [{"headers": {"@request.auth.claims.a": {"exact": "b"}}}]}]),
            "claims of tokens",
        ),
        (virtual(tcp=[{"match": [{"port": 9}]}]), "spec.tcp[0]: 'route' is missing"),
        (virtual(tls=[{"route": [{**TO[0], "weight": 0}] * 2}]), "spec.tls[0].route: the weights are all zero"),
        (virtual(hosts=[], http=[{"delegate": {"name": "b"}}]), "spec.http[0].delegate: a delegate cannot delegate further"),
        (virtual(exportTo=["~"]), "spec.exportTo[0]: '~' is neither a namespace nor '.' nor '*'"),
        (virtual(exportTo=[".", "here"]), "spec.exportTo[1]: 'here' is said already"),
        (virtual(exportTo=["*", "there"]), "spec.exportTo: beside '*' nothing else can be said"),
        (policy(), "spec.trafficPolicy: a policy without"),
        (distribute({"a": 60, "a/b": 40}), "distribute[0].to: of the localities 'a' and 'a/b' one holds the other"),
        (distribute({"*/b": 100}), "distribute[0].to: '*/b': a '*' stands at the end of a locality"),
        (
            balance(failover=[{"from": "a", "to": "b"}], failoverPriority=["topology.kubernetes.io/region"]),
            "localityLbSetting.failover: 'failoverPriority' speaks of topology.kubernetes.io/region already",
        ),
        (policy(connectionPool={}), "connectionPool: one of tcp, http is needed"),
        (policy(outlierDetection={"interval": "1.0000005s"}), "interval: '1.0000005s' is no whole number of milliseconds"),
        (manifest("DestinationRule", {"host": "a", "workloadSelector": {}, "exportTo": ["*"]}), "which is '.'"),
        (manifest("DestinationRule", {"host": "a", "workloadSelector": {"matchLabels": {"a": "b*"}}}), "there is no '*' in"),
        (entry(hosts=["*"]), "spec.hosts[0]: '*' is no service that could be called"),
        (entry(ports=[PORT, {**PORT, "number": 81}]), "spec.ports[1].name: there is a port 'http' already"),
        (entry(endpoints=[{"address": "b.org"}]), "endpoints[0].address: 'b.org' is no address, and with STATIC"),
        (
            entry(endpoints=[{"address": "1.1.1.1", "ports": {"htp": 80}}]),
            "ports.htp: there is no port 'htp' (did you mean 'http'",
        ),
        (entry(endpoints=[{"address": "unix://a"}]), "endpoints[0].address: 'unix://a' is no socket"),
        (entry(endpoints=[{"address": "unix:///a"}], resolution="DNS"), "address: a socket needs the resolution STATIC"),
        (entry(hosts=["*.a"], resolution="DNS"), "spec.hosts[0]: '*.a' has no address to be asked for"),
        (entry(endpoints=[{"address": "b.org"}] * 2, resolution="DNS_ROUND_ROBIN"), "there is one endpoint"),
        (manifest("WorkloadEntry", {"address": "a.org:80"}), "spec.address: 'a.org:80' is neither an address nor a name"),
        (manifest("WorkloadEntry", {"address": "unix:///a", "ports": {"a": 1}}), "spec.ports: a socket has no ports"),
        (
            manifest("WorkloadEntry", {"address": "unix:///a/"}),
            "spec.address: 'unix:///a/' is no socket; its path begins with",
        ),
        (manifest("WorkloadEntry", {"address": "10.0.0.1", "ports": {"@": 1}}), "spec.ports.@: '@' is no name of a port"),
        (manifest("Gateway", {"servers": []}), "spec: 'servers' is missing, or empty"),
        (door("a"), "hosts[0]: 'a' is a short name; outside of the cluster nobody knows it"),
        (door("*a.org"), "hosts[0]: '*a.org': a '*' stands for a whole part of a name here"),
        (door("~/a.org"), "hosts[0]: '~' is no name of a namespace"),
        (door("a.org", protocol="HTPT"), "port.protocol: there is no protocol 'HTPT' for a door (did you mean 'HTTP'?)"),
        (door("a.org", name=""), "servers[0].port: 'name' is missing"),
        (manifest("Sidecar", {}), "spec: one of egress, ingress,"),
        (
            manifest("Sidecar", {"egress": [{"hosts": ["*/*"]}, {"hosts": ["./*"]}]}),
            "egress[0]: the listener without a port",
        ),
        (manifest("Sidecar", {"egress": [{"hosts": ["/"]}]}), "egress[0].hosts[0]: '' is no name of a namespace"),
        (manifest("Sidecar", {"egress": [{"hosts": ["a/*b.org"]}]}), "hosts[0]: '*b.org': a '*' stands for a whole part"),
        (source(), "rules[0].from[0].source: this says nothing; one of principals,"),
        (source(principals=["a", ""]), "source.principals[1]: this should not be empty"),
        (source(serviceAccounts=["a"], namespaces=["b"]), "source.namespaces: only one of serviceAccounts and namespaces"),
        (operation(ports=["http"]), "operation.ports[0]: 'http' is no port"),
        (operation(), "operation: this says nothing"),
        (operation(paths=["/{a}/b"]), "operation.paths[0]: '/{a}/b': braces mean nothing but '{*}', a part of a path"),
        (operation(notPaths=["/{*}/b*"]), "operation.notPaths[0]: '/{*}/b*': beside '{*}' and '{**}' there is no '*'"),
        (operation(paths=["/{**}/{*}"]), "'/{**}/{*}': nothing else stands for a part of the path behind '{**}'"),
        (access(rules=[{"from": []}]), "rules[0].from: this should not be empty; left out it holds for every request"),
        (access(rules=[{"when": [{"key": "source.ip", "values": [""]}]}]), "when[0].values[0]: this should not be empty"),
        (access(action="DENY"), "spec: the action DENY without rules says nothing"),
        (access(action="CUSTOM", rules=[{}]), "'provider' names nobody"),
        (access(provider={"name": "a"}), "spec.provider: with the action ALLOW nobody else is asked"),
        (
            access(action="CUSTOM", provider={"name": "a"}, rules=[{"from": [{"source": {"namespaces": ["b"]}}]}]),
            "source.namespaces: with the action CUSTOM this is not known yet",
        ),
        (
            access(
                action="CUSTOM", provider={"name": "a"}, rules=[{"when": [{"key": "source.principal", "values": ["b"]}]}]
            ),
            "when[0].key: with the action CUSTOM this is not known yet",
        ),
        (access(selector={}, targetRef={"kind": "Service", "name": "a"}), "only one of selector and targetRef"),
        (access(targetRefs=[{"kind": "Servce", "name": "a"}]), "targetRefs[0].kind: a policy cannot be attached to this"),
        (access(targetRef={"kind": "Service", "name": ""}), "targetRef.name: this should not be empty"),
        (access(targetRef={"kind": "Service", "name": "a", "namespace": "b"}), "what is in its own namespace"),
        (access(selector={"matchLabels": {"": "a"}}), "selector.matchLabels: a label has a name"),
        (dry("perhaps"), "annotations['istio.io/dry-run']: 'perhaps' is neither true nor false"),
        (dry("true", action="AUDIT"), "with the action AUDIT there is no dry run"),
        (manifest("PeerAuthentication", {"portLevelMtls": {}}), "spec.portLevelMtls: this should not be empty"),
    ],
)
def test_what_the_webhook_refuses_is_refused(text, sentence):
    with pytest.raises(InputError) as error:
        parse_manifests(text, kinds=MESH)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        route(headers={"request": {"set": {"x": "100%% of %START_TIME(%s.%3f)%"}}}),
        route(headers={"request": {"set": {":authority": "b"}}}, rewrite={"uri": "/c"}),
        route(match=[{"gateways": ["mesh", "./door", "there/door", "door.there.svc.cluster.local"]}]),
        virtual(gateways=["door"], http=[{"route": TO, "match": [{"headers": {"@request.auth.claims.a": {"exact": "b"}}}]}]),
        virtual(hosts=["outbound_.80_.v1_.a.here.svc.cluster.local"], gateways=["door"]),
        virtual(hosts=["a.org", "*.b.org", "b.org"], exportTo=[".", "there"]),
        policy(tunnel={"protocol": "CONNECT", "targetHost": "a", "targetPort": 80}),
        entry(exportTo=["~"]),
        entry(endpoints=[{"network": "far"}, {"address": "unix://@a"}]),
        door("*", "10.0.0.1", "./a.org", "*/*.a.org", protocol="grpc"),
        manifest("Sidecar", {"egress": [{"hosts": ["~/*"], "port": {"number": 80}}, {"hosts": ["*/a.org"]}]}),
        manifest("Sidecar", {"ingress": [{"port": {"number": 80}}]}),
        source(requestPrincipals=["*"]),
        operation(paths=["/{*}/{**}/b.txt", "*"]),
        access(targetRefs=[{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}]),
        dry("False", action="AUDIT", rules=[{}]),
    ],
)
def test_what_the_webhook_takes_is_taken(text):
    assert parse_manifests(text, kinds=MESH).by_type


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a.org", "a.org", True),
        ("*.org", "a.org", True),
        ("a.org", "*.b.org", False),
        ("*.a.org", "*.org", True),
        ("*.a.org", "*.b.org", False),
        ("*", "*.org", True),
        ("*.org", ".org", False),
    ],
)
def test_hosts_overlap_where_one_stands_for_the_other(one, other, both):
    assert overlap(one, other) is overlap(other, one) is both
