"""A request that names no port goes where somebody listens; one that names a wrong port of several finds no way."""

import json

import pytest

from skyedge.cli.request_ports import UsualPorts
from skyedge.cli.route_requests import read_requests
from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.objects import Caller
from skyedge.layers.mesh.reading import read_mesh
from skyedge.layers.mesh.traffic import simulate

MANIFESTS = """
apiVersion: v1
kind: Node
metadata: {name: n}
---
apiVersion: v1
kind: Service
metadata: {name: one}
spec: {selector: {app: one}, ports: [{name: http, port: 9080}]}
---
apiVersion: v1
kind: Service
metadata: {name: several}
spec: {selector: {app: one}, ports: [{name: http, port: 9080}, {name: grpc, port: 9090}]}
---
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: one}}
spec: {nodeName: n, containers: [{name: c}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: {servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: outside}
spec:
  hosts: [shop.example]
  gateways: [door]
  http:
  - {match: [{port: 8080, uri: {prefix: /several}}], route: [{destination: {host: several}}]}
  - {match: [{port: 8080}], route: [{destination: {host: one}}]}
"""
DOOR = "default/door"
INSIDE = Caller("p", namespace="default")


@pytest.fixture(scope="module")
def reading():
    return read_mesh(parse_manifests(MANIFESTS, file="f.yaml", kinds=MESH))


@pytest.mark.parametrize(
    ("caller", "authority", "port"),
    [
        (INSIDE, "one", 9080),
        (INSIDE, "ONE.default.svc", 9080),
        (INSIDE, "one.default.svc.cluster.local.", 9080),
        (INSIDE, "several", 9080),
        (INSIDE, "several:9090", 9090),
        (INSIDE, "several:0", 9080),
        (INSIDE, "elsewhere.example", 80),
        (INSIDE, "elsewhere.example:8443", 8443),
        (INSIDE, "[::1]:81", 81),
        (Caller(namespace="other"), "one", 80),
        (Caller(DOOR, namespace="default", gateway=DOOR), "shop.example", 8080),
        (Caller(DOOR, namespace="default", gateway=DOOR), "shop.example:443", 8080),
        (Caller(DOOR, namespace="default", gateway=DOOR), "shop.example:8080", 8080),
    ],
)
def test_the_port_is_the_authoritys_or_one_where_somebody_listens(reading, caller, authority, port):
    assert UsualPorts(reading).of(caller, authority) == port


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"host": "one"}, 200),
        ({"host": "one", "port": 80}, 200),  # a service with one port takes what comes
        ({"host": "several"}, 200),
        ({"host": "several", "port": 9090}, 200),
        ({"host": "several", "port": 80}, 503),
        ({"host": "shop.example", "source": DOOR}, 200),
        ({"host": "shop.example", "source": DOOR, "path": "/several"}, 503),  # a gateway's port is none of the service's
        ({"host": "shop.example", "source": DOOR, "port": 80}, 404),
    ],
)
def test_a_port_decides_on_the_way(reading, tmp_path, said, status):
    file = tmp_path / "requests.jsonl"
    file.write_text(json.dumps(said))
    (asked,) = read_requests(str(file), reading, INSIDE, 100.0)
    mesh = reading.mesh_for(asked.caller)
    assert simulate(mesh, [asked.timed]).calls.requests.status.tolist() == [status]
