"""Nodes with their devices, and the network domains that hold them, are read from manifests or refused in a sentence."""

import json

import pytest

from skyedge.errors import InputError
from skyedge.kube import parse_manifests
from skyedge.layers.scheduler.reading import read_cluster
from tests.layers.scheduler.written_clusters import domain, node, pod, read, shape_of, thing


def test_gpus_are_read_from_the_register_of_volcanos_device_plugin():
    register = "GPU-1,10,32768,NVIDIA-V100,false:GPU-2,10,32768,NVIDIA-V100,false:"
    shared = node("n", **{"volcano.sh/vgpu-number": 20})
    shared["metadata"]["annotations"] = {"volcano.sh/node-vgpu-register": register}
    half = {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 16384}
    snapshot = read(shared, pod("a", containers=[{"name": "c", "resources": {"limits": half}}]))
    assert snapshot.nodes.devices.tolist() == [[1000, 1000]]
    assert shape_of(snapshot).device_milli == 500


def test_a_node_says_its_processor_and_whether_it_is_ready():
    cordoned = thing("v1", "Node", "a", {"unschedulable": True})
    silent = thing("v1", "Node", "b", status={"conditions": [{"type": "Ready", "status": "Unknown"}]})
    arm = thing("v1", "Node", "c", status={"nodeInfo": {"architecture": "arm64"}, "capacity": {"cpu": 2}})
    reading = read_cluster(parse_manifests(json.dumps([cordoned, silent, arm])))
    nodes = reading.snapshot.nodes
    assert nodes.unschedulable.tolist() == [True, True, False]
    assert nodes.labels[2] == {"kubernetes.io/arch": "arm64"}
    assert [warning.count("has no status.allocatable") for warning in reading.warnings] == [1, 1]


def test_a_domain_that_is_within_two_is_named_with_its_place():
    leaf = ("HyperNode", {"exactMatch": {"name": "leaf"}})
    with pytest.raises(InputError, match="'leaf' is within 'a' already") as error:
        read(domain("leaf", 1), domain("a", 2, leaf), domain("b", 2, leaf))
    assert error.value.where is not None
    assert "spec.members[0]" in error.value.where


def test_amounts_that_add_up_to_more_than_can_be_counted_are_refused():
    with pytest.raises(InputError, match="the memory of all nodes together is more than can be counted"):
        read(*(node(f"n{number}", memory="1Ei") for number in range(9)))


def test_more_devices_than_a_node_can_have_are_refused():
    with pytest.raises(InputError, match="node 'n' has 1,000,000,000 devices"):
        read(node("n", **{"volcano.sh/gpu-number": 10**9, "volcano.sh/gpu-memory": 10**10}))


def test_network_domains_find_their_members():
    nodes = [node("a1"), node("a2"), node("b1", labels={"rack": "b"}), node("c")]
    snapshot = read(
        *nodes,
        domain("spine", 2, ("HyperNode", {"regexMatch": {"pattern": "^rack-"}})),
        domain("rack-a", 1, ("Node", {"regexMatch": {"pattern": "^a"}})),
        domain("rack-b", 1, ("Node", {"labelMatch": {"matchLabels": {"rack": "b"}}})),
        domain("alone", 1, ("Node", {"exactMatch": {"name": "c"}})),
    )
    held = {
        name: [node for node, inside in zip(snapshot.nodes.names, row, strict=True) if inside]
        for name, row in zip(snapshot.hypernodes.names, snapshot.hypernodes.holds, strict=True)
    }
    assert held == {"rack-a": ["a1", "a2"], "rack-b": ["b1"], "spine": ["a1", "a2", "b1"], "alone": ["c"]}
