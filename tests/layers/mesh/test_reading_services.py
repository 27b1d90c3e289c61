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
