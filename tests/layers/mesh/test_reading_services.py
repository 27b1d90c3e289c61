"""Pods, machines and hosts outside become endpoints of the services that they answer for, with their places and health."""

import pytest

from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import RunsIn
from tests.layers.mesh.written_meshes import NODE, A, mesh, pod, read


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


TWO_PORTS = """
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{name: http, port: 80, targetPort: web}, {name: http-admin, port: 81, targetPort: 9000}]}
"""


def with_ports(name, ports, more=""):
    return pod(name, "a").replace("{name: c}", f"{{name: c, ports: {ports}}}").replace("containers", f"{more}containers")


def test_each_port_of_a_service_is_one_of_a_pod_by_number_or_by_the_name_that_the_pod_has_for_it():
    sidecar = "initContainers: [{name: s, restartPolicy: Always, ports: [{name: web, containerPort: 7070}]}], "
    pods = [
        with_ports("a1", "[{name: web, containerPort: 8080}, {name: http-admin, containerPort: 1}]"),
        with_ports("a2", "[{name: web, containerPort: 1, protocol: UDP}, {name: other, containerPort: 2}]", sidecar),
        pod("a3", "a"),
    ]
    found = {one.address: one for one in mesh(NODE, TWO_PORTS, *pods).endpoints}
    assert {name: (one.port_for(80), one.port_for(81)) for name, one in found.items()} == {
        "a1": (8080, 9000),
        "a2": (7070, 9000),
        "a3": (80, 9000),  # which says nothing of the name
    }


def test_ports_of_slices_and_of_machines_go_by_the_names_of_the_services_ports():
    more = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a-1, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}]
ports: [{name: http-admin, port: 9001}, {name: http, port: 8081}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm}
spec: {address: 10.9.0.1, labels: {app: a}, ports: {http-admin: 1234, web: 5678}}
"""
    found = {one.address: one for one in mesh(NODE, TWO_PORTS, more, pod("a1", "a")).endpoints}
    assert {name: (one.port_for(80), one.port_for(81)) for name, one in found.items()} == {
        "10.0.0.1": (8081, 9001),
        "10.9.0.1": (5678, 1234),
    }


def test_each_port_of_a_service_entry_has_its_own_target():
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e}
spec:
  hosts: [x.example.com]
  ports: [{number: 80, name: http, targetPort: 8080}, {number: 81, name: http-admin, targetPort: 9000}]
  resolution: STATIC
  endpoints: [{address: 10.9.0.1}, {address: 10.9.0.2, ports: {http-admin: 1234}}]
"""
    found = [one for one in mesh(*A, entry).endpoints if one.service == "x.example.com"]
    assert [(one.port_for(80), one.port_for(81)) for one in found] == [(8080, 9000), (8080, 1234)]


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


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ('[{type: Ready, status: "False", reason: ContainersNotReady}]', False),
        ("[{type: Ready, status: Unknown}]", False),
        ('[{type: PodScheduled, status: "True"}, {type: Ready, status: "True"}]', True),
        ('[{type: ContainersReady, status: "False"}]', True),
        ("[]", True),
    ],
)
def test_a_pod_that_says_it_is_not_ready_is_asked_by_nobody(conditions, ready):
    text = pod("s", "a") + f"status: {{phase: Running, podIP: 10.0.0.9, conditions: {conditions}}}"
    reading = read(*A, text)
    assert [one.healthy for one in reading.endpoints if one.address == "10.0.0.9"] == [ready]


def test_an_unready_node_makes_its_pods_unwell():
    down = NODE + "status: {conditions: [{type: Ready, status: Unknown}]}"
    assert not any(one.healthy for one in mesh(down, *A[1:]).endpoints)
    assert "nobody who answers for 'a.default.svc.cluster.local' is ready" in read(down, *A[1:]).warnings[0]
