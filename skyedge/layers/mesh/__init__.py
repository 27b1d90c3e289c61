"""The mesh: which way each request takes, by Istio's and Envoy's rules, over plain values and arrays.

Pure functions: no clock, no network, no chance of its own.  :func:`~skyedge.layers.mesh.http_route.answer` says what
becomes of a request; :mod:`~skyedge.layers.mesh.locality`, :mod:`~skyedge.layers.mesh.priority_load` and
:mod:`~skyedge.layers.mesh.balancing` say which endpoint serves it, :mod:`~skyedge.layers.mesh.outlier` which are left out.
:class:`~skyedge.layers.mesh.router.Router` does all of that for batches of requests, over a :class:`Mesh` of plain objects.
"""

from skyedge.layers.mesh.http_match import HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import Destination, Draws, HttpRoute, Outcome, answer, follow
from skyedge.layers.mesh.objects import Caller, Mesh
from skyedge.layers.mesh.outlier import OutlierConfig, OutlierDetector
from skyedge.layers.mesh.priority_load import priority_load
from skyedge.layers.mesh.router import BatchDraws, Routed, Router

__all__ = [
    "BatchDraws",
    "Caller",
    "Destination",
    "Draws",
    "HttpMatch",
    "HttpRequest",
    "HttpRoute",
    "Mesh",
    "Outcome",
    "OutlierConfig",
    "OutlierDetector",
    "Routed",
    "Router",
    "StringMatch",
    "answer",
    "follow",
    "priority_load",
]
