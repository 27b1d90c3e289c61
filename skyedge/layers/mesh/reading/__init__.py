"""From manifests to a mesh: services and who answers for them, routes and rules, who may call whom, how endpoints behave."""

from skyedge.layers.mesh.reading.behaviours import Gatekeeper, read_behaviours, read_controls
from skyedge.layers.mesh.reading.mesh import MeshReading, read_mesh

__all__ = ["Gatekeeper", "MeshReading", "read_behaviours", "read_controls", "read_mesh"]
