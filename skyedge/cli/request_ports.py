"""The port of a request that names none: what somebody means who writes only the name of a service.

A port decides which rules of a virtual service are met and which way leads to a service with several, so it should not be
a guess of 80 where nobody listens there.
"""

from __future__ import annotations

from skyedge.cli.request_fields import HIGHEST_PORT
from skyedge.layers.mesh.objects import MESH_GATEWAY, Caller, Mesh
from skyedge.layers.mesh.reading import MeshReading
from skyedge.layers.mesh.virtual_hosts import short_names, without_port

USUAL_PORT = 80


class UsualPorts:
    """Ports by the authority of a request; found once for all callers that see the same.

    Args:
        reading: services with their ports, and gateways with theirs.
    """

    def __init__(self, reading: MeshReading) -> None:
        self._reading = reading
        # A mesh is kept with what came of it, so that no other takes its identity.
        self._named: dict[tuple[int, str], tuple[Mesh, dict[str, tuple[int, ...]]]] = {}

    def of(self, caller: Caller, authority: str) -> int:
        """The port that the authority names, or else 80 if somebody listens there, or else the first that there is.

        To a gateway the authority names the port that its users know, which is its own only if it listens there.
        """
        name = without_port(authority)
        said = authority[len(name) + 1 :]
        named = int(said) if said.isdecimal() and 1 <= int(said) <= HIGHEST_PORT else None
        if caller.gateway == MESH_GATEWAY:
            there = self._of_services(caller).get(name, ())
        else:
            there = self._reading.doors[caller.gateway].ports
            named = named if named in there else None
        if named is not None:
            return named
        return there[0] if there and USUAL_PORT not in there else USUAL_PORT

    def _of_services(self, caller: Caller) -> dict[str, tuple[int, ...]]:
        mesh = self._reading.mesh_for(caller)
        key = (id(mesh), caller.namespace)
        if key not in self._named:
            named: dict[str, tuple[int, ...]] = {}
            for service in mesh.services:
                numbers = tuple(port.number for port in service.ports)
                for name in (service.host, f"{service.host}.", *short_names(service, caller.namespace)):
                    named.setdefault(name.lower(), numbers)
            self._named[key] = (mesh, named)
        return self._named[key][1]
