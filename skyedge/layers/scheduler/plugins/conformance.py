"""Conformance: pods that Kubernetes itself lives on are never evicted (Volcano's plugin ``conformance``)."""

from __future__ import annotations

from collections.abc import Sequence

from skyedge.layers.scheduler.plugin import Plugin


class Conformance(Plugin):
    """Spares system-critical pods and all of the namespace ``kube-system``."""

    name = "conformance"

    def preemptable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        pods = self.session.snapshot.pods
        return [
            victim
            for victim in candidates
            if not pods.system_critical[victim] and not pods.names[victim].startswith("kube-system/")
        ]

    def reclaimable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        """The same across queues."""
        return self.preemptable(pod, candidates)
