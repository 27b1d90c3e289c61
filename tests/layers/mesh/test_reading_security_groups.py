"""Security groups and mutual TLS of manifests decide on requests, and each denial says whose word it was."""

import pytest

from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.reading import Gatekeeper, read_mesh

PODS = "".join(
    f"""
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {space}, labels: {{app: {name}, tier: {tier}}}}}
spec: {{containers: [{{name: c}}]}}
status: {{phase: Running, podIP: {address}}}
"""
    for name, space, tier, address in (
        ("web", "shop", "front", "10.0.1.1"),
        ("db", "shop", "data", "10.0.2.1"),
        ("job", "batch", "back", "10.0.3.1"),
    )
)
REST = """
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: metal, namespace: shop, annotations: {skyedge.io/runs-in: bare-metal, sidecar.istio.io/inject: "false"}}
spec: {address: 192.168.0.7, labels: {app: metal, tier: front}}
"""
GROUPS = """
---
apiVersion: skyedge/v1
kind: SecurityGroup
metadata: {name: data}
spec:
  selector: {matchLabels: {tier: data}}
  ingress:
  - {group: front, ports: [8080]}
  - {network: 10.0.3.0/24, ports: ["9000-9100"], protocol: tcp}
---
apiVersion: skyedge/v1
kind: SecurityGroup
metadata: {name: front}
spec: {selector: {labels: {tier: front}}, ingress: [{}]}
"""


def strict(namespace, mode="STRICT", more=""):
    return f"""
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: tls-{mode.lower()}, namespace: {namespace}}}
spec: {{mtls: {{mode: {mode}}}{more}}}
"""


def verdict(text, caller, port=8080):
    reading = read_mesh(parse_manifests(PODS + REST + text.replace("8080]", f"{port}]"), file="f.yaml", kinds=MESH))
    (endpoint,) = (one for one in reading.endpoints if one.service.startswith("db."))
    return Gatekeeper(reading).verdict(reading.caller(caller), endpoint, HttpRequest(endpoint.service))


@pytest.mark.parametrize(("caller", "allowed"), [("web", True), ("metal", True), ("job", False)])
def test_a_group_lets_in_what_a_rule_names_and_nothing_else(caller, allowed):
    found = verdict(GROUPS, caller)
    assert found.allowed is allowed
    assert ("security group data" in found.why) is not allowed


def test_another_port_is_not_let_in():
    assert not verdict(GROUPS, "web", port=8081).allowed


def test_without_groups_everybody_is_let_in():
    assert verdict("", "job").allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (strict("istio-system"), False),
        (strict("shop"), False),
        (strict("batch"), True),
        (strict("istio-system") + strict("shop", "PERMISSIVE"), True),
        (strict("istio-system") + strict("shop", "DISABLE"), True),
        (strict("shop", "PERMISSIVE", ", selector: {matchLabels: {app: db}}, portLevelMtls: {8080: {mode: STRICT}}"), False),
        (strict("shop", "STRICT", ", selector: {matchLabels: {app: db}}, portLevelMtls: {8080: {mode: DISABLE}}"), True),
    ],
)
def test_a_machine_without_a_proxy_is_refused_where_the_narrowest_word_is_strict(text, allowed):
    found = verdict(text, "metal")
    assert found.allowed is allowed
    assert ("insists on mutual TLS and shop/metal has no proxy" in found.why) is not allowed
    assert verdict(text, "web").allowed


def test_a_namespace_of_a_group_says_nothing_and_is_named():
    text = PODS + REST + GROUPS.replace("{name: data}", "{name: data, namespace: shop}")
    (said,) = read_mesh(parse_manifests(text, file="f.yaml", kinds=MESH)).warnings
    assert said.startswith("f.yaml:")
    assert said.endswith("metadata.namespace: not used, as security groups are of the whole mesh")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("group: front, ports", "group: frnt, ports", "there is no SecurityGroup 'frnt' (did you mean 'front'?)"),
        (
            "{tier: data}",
            "{tier: dta}",
            "nothing that runs has tier=dta, so the group has no members (did you mean 'tier=data'?)",
        ),
        ("10.0.3.0/24", "10.0.3.0/240", "is neither an address nor a network"),
        ("9000-9100", "9100-9000", "is neither a port nor a range"),
        ("name: front}", "name: data}", "there is a SecurityGroup 'data' already"),
        ("{matchLabels: {tier: data}}", "{}", "a group without labels has no members"),
        ("protocol: tcp", "protocol: tpc", "did you mean 'tcp'"),
    ],
)
def test_a_mistake_is_said_with_its_place(old, new, words):
    assert old in GROUPS
    with pytest.raises(InputError) as error:
        verdict(GROUPS.replace(old, new, 1), "web")
    assert words in str(error.value)
    assert "f.yaml:" in error.value.where
