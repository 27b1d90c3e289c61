"""The shape of a pod is all that decides where it may run, GPUs and their parts among it, and nothing else."""

import pytest

from skyedge.layers.scheduler.objects import Requirement
from tests.layers.scheduler.written_clusters import node, pod, read, shape_of


def test_a_shape_holds_all_that_decides_where_a_pod_may_run():
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}],
                        "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n9"]}],
                    }
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 5, "preference": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}}
            ],
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "rack", "labelSelector": {"matchLabels": {"app": "x"}}, "namespaces": ["b", "a"]}
            ]
        },
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 9, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {}}}
            ]
        },
    }
    marks = {"annotations": {"skyedge.io/architectures": "arm64, amd64"}}
    shape = shape_of(
        read(
            node("n"),
            pod(
                "a",
                affinity=affinity,
                nodeSelector={"z": "1", "b": "2"},
                metadata=marks,
                tolerations=[{"operator": "Exists"}],
            ),
        )
    )
    assert shape.node_selector == (("b", "2"), ("z", "1"))
    assert shape.node_terms == ((Requirement("disk", "In", ("ssd",)), Requirement("metadata.name", "NotIn", ("n9",))),)
    assert shape.preferred == ((5, (Requirement("zone", "Exists"),)),)
    near, away = shape.pod_terms
    assert (near.weight, near.away, near.topology_key, near.selector) == (9, False, "zone", ())
    assert (away.weight, away.away, away.namespaces) == (None, True, ("a", "b"))
    assert away.selector == (Requirement("app", "In", ("x",)),)
    assert shape.tolerations[0].operator == "Exists"
    assert shape.architectures == ("arm64", "amd64")


def test_pods_that_are_alike_share_a_shape_whatever_does_not_matter_to_it():
    def other(name, **container):
        return pod(name, containers=[{"name": name, "resources": {"requests": {"cpu": 1}}, **container}])

    snapshot = read(node("n"), other("a"), other("b", image="x"), other("c", volumeMounts=[{"name": "token-1"}]))
    assert len({id(shape_of(snapshot, row)) for row in range(3)}) == 1


@pytest.mark.parametrize(
    ("resources", "devices"),
    [
        ({"nvidia.com/gpu": 2}, (0, 0)),
        ({"volcano.sh/gpu-number": 2}, (2, 1000)),
        ({"volcano.sh/gpu-memory": 4000}, (1, 250)),
        ({"volcano.sh/vgpu-number": 2, "volcano.sh/vgpu-memory": 8000}, (2, 500)),
        ({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 4000, "volcano.sh/vgpu-cores": 30}, (1, 300)),
        ({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory-percentage": 40}, (1, 400)),
        ({"volcano.sh/vgpu-number": 1}, (1, 1000)),
    ],
)
def test_parts_of_gpus_become_thousandths(resources, devices):
    gpus = {"volcano.sh/gpu-number": 4, "volcano.sh/gpu-memory": 64_000}
    wants = pod("a", containers=[{"name": "c", "resources": {"limits": resources}}])
    snapshot = read(node("n", **gpus), wants)
    assert (shape_of(snapshot).device_count, shape_of(snapshot).device_milli) == devices
    assert snapshot.nodes.devices.tolist() == [[1000] * 4]
