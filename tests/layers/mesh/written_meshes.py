"""A small mesh written as manifests, for tests of how they are read: who answers for the service a, and what varies."""

import pytest

from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.reading import read_mesh

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
