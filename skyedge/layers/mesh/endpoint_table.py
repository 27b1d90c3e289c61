"""All endpoints of a mesh as columns, by service.

An endpoint has a number for as long as it is there, and so long as requests that it has in hand are not over.  A change
touches the entries of one service: :meth:`EndpointTable.update` takes the service's endpoints as they now are, as a proxy
is told, and keeps what is known of those that stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import MeshEndpoint
from skyedge.layers.mesh.rows import Indices, grown

NOBODY: Indices = np.empty(0, np.intp)


class EndpointTable:
    """Endpoints by number.

    Args:
        services: the host of each service.
        endpoints: in any order; numbers go by service and address.

    Attributes:
        endpoints: the endpoint of each number, None for one that is gone.
        service: (numbers,), which service it answers for.
        weight, ejected: (numbers,).
        active: (numbers,), requests in hand.
        localities: those that were ever seen, by number.
        locality: (numbers,).

    Raises:
        InputError: if a service is listed twice, an endpoint answers for none of them, has a negative weight, or two of one
            service have one address.
    """

    def __init__(self, services: Sequence[str], endpoints: Iterable[MeshEndpoint]) -> None:
        self.services = {host: number for number, host in enumerate(services)}
        if len(self.services) != len(services):
            twice = next(host for host in services if services.count(host) > 1)
            raise InputError(f"the service '{twice}' is listed twice")
        self.endpoints: list[MeshEndpoint | None] = []
        self.localities: list[Locality] = []
        self._locality_numbers: dict[Locality, int] = {}
        self._rows: list[Indices] = [NOBODY] * len(services)
        self._gone: list[int] = []
        self.service: NDArray[np.int32] = np.zeros(0, np.int32)
        self.locality: NDArray[np.int32] = np.zeros(0, np.int32)
        self.weight: NDArray[np.float64] = np.zeros(0)
        self.ejected: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.active: NDArray[np.int64] = np.zeros(0, np.int64)
        by_service: dict[str, list[MeshEndpoint]] = {host: [] for host in services}
        for endpoint in endpoints:
            mine = by_service.get(endpoint.service)
            if mine is None:
                close = nearest(endpoint.service, by_service)
                raise InputError(f"{endpoint.address} answers for '{endpoint.service}', which is no service", nearest=close)
            mine.append(endpoint)
        self._make_room(sum(map(len, by_service.values())))
        for host, mine in by_service.items():
            self.update(host, mine)

    def number(self, service: str) -> int:
        """The number of a service.

        Raises:
            InputError: if there is none of that name.
        """
        if service not in self.services:
            raise InputError(f"there is no service '{service}'", nearest=nearest(service, self.services))
        return self.services[service]

    def of_service(self, service: int) -> Indices:
        """The numbers of its endpoints, by address."""
        return self._rows[service]

    def numbers(self, service: str) -> dict[str, int]:
        """The number of each endpoint of a service, by its address."""
        rows = self._rows[self.number(service)].tolist()
        return {endpoint.address: row for row in rows if (endpoint := self.endpoints[row]) is not None}

    def update(self, service: str, endpoints: Iterable[MeshEndpoint]) -> None:
        """Take what the endpoints of a service now are.

        Who stays, by its address, keeps its number, its requests in hand and its ejection.  Costs in proportion to them.

        Raises:
            InputError: as the class; then nothing has changed.
        """
        mine = sorted(endpoints, key=lambda endpoint: endpoint.address)
        number = self.number(service)
        for one, other in pairwise(mine):
            if one.address == other.address:
                raise InputError(f"two endpoints of '{service}' have the address {one.address}")
        for one in mine:
            if one.weight < 0 or one.service != service:
                what = "a negative weight" if one.weight < 0 else f"another service, '{one.service}'"
                raise InputError(f"the endpoint {one.address} of '{service}' has {what}")
        before = self.numbers(service)
        rows = [before.pop(endpoint.address, -1) for endpoint in mine]
        for row in before.values():
            self.endpoints[row] = None
            self._gone.append(row)
        rows = [self._new_row(number) if row < 0 else row for row in rows]
        for row, endpoint in zip(rows, mine, strict=True):
            self.endpoints[row] = endpoint
        self._rows[number] = at = np.array(rows, np.intp)
        self.weight[at] = [endpoint.weight for endpoint in mine]
        self.locality[at] = [self._locality_number(endpoint.locality) for endpoint in mine]

    def well(self, rows: Indices) -> NDArray[np.bool_]:
        """Which of them are not ejected."""
        well: NDArray[np.bool_] = ~self.ejected[rows]
        return well

    def count_by_service(self) -> Mapping[str, int]:
        """How many endpoints each service has."""
        return {host: self._rows[number].size for host, number in self.services.items()}

    def _new_row(self, service: int) -> int:
        # One that is gone may still have requests in hand, and those will be counted down at its number.
        if self._gone and self.active[self._gone[-1]] == 0:
            row = self._gone.pop()
        else:
            row = len(self.endpoints)
            self.endpoints.append(None)
            self._make_room(row + 1)
        self.service[row], self.ejected[row] = service, False
        return row

    def _make_room(self, size: int) -> None:
        if size > self.active.size:
            for name in ("service", "locality", "weight", "ejected", "active"):
                setattr(self, name, grown(getattr(self, name), size))

    def _locality_number(self, locality: Locality) -> int:
        number = self._locality_numbers.setdefault(locality, len(self.localities))
        if number == len(self.localities):
            self.localities.append(locality)
        return number
