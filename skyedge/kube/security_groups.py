"""skyedge's own kind beside Istio's: a security group, as clouds have it, over callers and services of a mesh.

Whoever carries the labels of ``selector`` is a member, in whatever namespace, whether a pod, a virtual machine or a machine
without any.  What no rule of its groups lets in to a member is refused; of members' own calls a group says nothing.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from skyedge.kube.istio_values import WorkloadSelector
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape, shown

MOST_PORT = 65_535
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class IngressRule(Shape, frozen=True, kw_only=True):
    """What is let in: of a group, from a network; from anywhere if neither is given, to any port if none is.

    A port is a number, or a range such as "8000-8100".
    """

    group: str = ""
    network: str = ""
    ports: tuple[int | str, ...] = ()
    protocol: Literal["any", "tcp", "udp"] = "any"

    def check(self) -> None:
        for number, port in enumerate(self.ports):
            first, last = port_range(port) or (0, 0)
            if not 1 <= first <= last <= MOST_PORT:
                raise Problem(("ports", number), f"{shown(port)} is neither a port nor a range such as 8000-8100")
        if self.network:
            try:
                ipaddress.ip_network(self.network, strict=False)
            except ValueError:
                message = f"'{self.network}' is neither an address nor a network such as 10.0.0.0/8"
                raise Problem(("network",), message) from None

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The first and the last port of each range; all ports if none is given."""
        return tuple(found for port in self.ports if (found := port_range(port)) is not None) or ((0, MOST_PORT),)


class SecurityGroupSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a security group; without rules nothing is let in."""

    selector: WorkloadSelector
    ingress: tuple[IngressRule, ...] = ()

    def check(self) -> None:
        if not self.selector.wanted:
            raise Problem(("selector",), "one of labels, matchLabels is needed: a group without labels has no members")


class SecurityGroup(Shape, frozen=True, kw_only=True):
    """Who may come in to its members."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: SecurityGroupSpec


def port_range(said: int | str) -> tuple[int, int] | None:
    """The first and the last port of what is said; None if it is no range."""
    found = _RANGE.fullmatch(str(said))
    return None if found is None else (int(found[1]), int(found[2] or found[1]))
