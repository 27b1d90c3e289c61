"""What an endpoint does with who asks it."""

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Caller
from skyedge.layers.mesh.traffic import Controls, simulate
from tests.layers.mesh.traffic.worlds import CALLER, HOST, at_once, mesh_of, working


def test_who_may_call_is_decided_once_for_each_caller_endpoint_and_request():
    """A request and those after it that are the same object meet the same policies, which cost more than the rest."""
    other, hidden = Caller("batch", namespace="default"), HttpRequest(HOST, path="/hidden")
    asked = []

    def allowed(caller, endpoint, request):
        asked.append((caller.name, endpoint.address, request.path))
        return caller is CALLER and request is not hidden

    requests = [*at_once(50), *at_once(50, http=hidden), *at_once(50, caller=other)]
    calls = simulate(mesh_of(2), requests, working(), controls=Controls(allowed=allowed)).calls
    assert calls.requests.status.tolist() == [200] * 50 + [403] * 100
    assert len(asked) == len(set(asked)) == 6
