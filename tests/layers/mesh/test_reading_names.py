"""Who sees what: exports and sidecars narrow it by namespace, and a caller is known by its name or its place."""

import pytest

from skyedge.errors import InputError
from skyedge.layers.mesh.locality import Locality
from tests.layers.mesh.written_meshes import NODE, SUBSETS, A, mesh, pod, read, service, virtual


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


def test_a_caller_is_a_workload_or_a_locality():
    reading = read(*A)
    assert reading.caller("default/a1").node == "n"
    assert reading.caller("eu").locality == Locality("eu")
    assert reading.caller("eu/eu-1").locality == Locality("eu", "eu-1")
    with pytest.raises(InputError, match="'a11' is no workload, no gateway and no locality"):
        reading.caller("a11")
