"""``layers.scheduler`` of the experiment file: clusters that the pictures share with training and evaluation.

Every site that has pools is a cluster of its own, and all have one policy.  Shares of a GPU are counted by node, as if they
could always be packed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from skyedge.errors import InputError, nearest
from skyedge.experiment.durations import Duration, Length
from skyedge.layers.scheduler import Configuration, configuration_from
from skyedge.layers.scheduler.objects import Node, PodShape, Queue
from skyedge.layers.scheduler.policies import policy
from skyedge.nodes.workload import GPU, BurstRules, JobKind, Site
from skyedge.profiles import Part
from skyedge.resources import find
from skyedge.time import SECOND, parse_duration
from skyedge.yaml_files import read_yaml

CLOUD_SITE = "cloud"
WHERE = "layers.scheduler"


def _policy(value: Any) -> Any:
    """What a file holds in place of its name, so that the content and not the name decides the digest."""
    if not (isinstance(value, str) and value.endswith((".yaml", ".yml", ".conf", ".json"))):
        return value
    try:
        return read_yaml(find(value, kind="experiments"))
    except InputError as error:
        raise ValueError(str(error)) from None


class Pool(Part):
    """Machines of one kind at one site."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    site: str = Field(default=CLOUD_SITE, description="cloud, or a station whose edge node they are.")
    nodes: int = Field(default=1, ge=1, le=10_000)
    cpu: float = Field(default=32, gt=0, le=4096, description="Cores of each.")
    memory_gb: float = Field(default=256, gt=0, le=1e6)
    gpus: int = Field(default=1, ge=0, le=64)


class PodNeeds(Part):
    """What a pod asks for."""

    cpu: float = Field(default=4, gt=0, le=4096)
    memory_gb: float = Field(default=16, gt=0, le=1e6)
    queue: str = "default"
    priority: int = Field(default=0, ge=-(10**9), le=10**9)

    def shape(self, gpus: float) -> PodShape:
        """As the scheduler sees a pod with so many GPUs."""
        request = {"cpu": round(self.cpu * 1000), "memory": round(self.memory_gb * 1e9), GPU: round(gpus * 1000)}
        return PodShape(tuple(sorted((name, amount) for name, amount in request.items() if amount)))


class Burst(PodNeeds):
    """How the pictures of a transfer become pods."""

    pictures_per_pod: int = Field(default=16, ge=1, le=10**6)
    gpu_share: float = Field(default=1.0, ge=0.001, le=1, description="Of a device; half of one takes twice as long.")
    start_s: float = Field(
        default=2.0, ge=0, le=3600, description="Container and weights, on a node that has the image; assumed."
    )


class Background(PodNeeds):
    """Jobs that arrive beside the bursts, at random."""

    name: str | None = Field(default=None, description="The kind if not given; two need different names.")
    kind: Literal["training", "evaluation"] = "training"
    site: str = CLOUD_SITE
    every: Length = Field(description="Mean time between two.")
    pods: int = Field(default=1, ge=1, le=10_000)
    min_member: int | None = Field(default=None, ge=1, description="Pods that must run at once; all if not given.")
    gpus: float = Field(default=1.0, ge=0, le=64, description="Of each pod.")
    duration: Length = Field(description="Median of the work of a pod.")
    spread: float = Field(default=0.5, ge=0, le=3, description="Sigma of the log-normal around it; assumed.")
    start_s: float = Field(default=30.0, ge=0, le=3600, description="Container, data, rendezvous; assumed.")
    checkpoint: Duration = Field(default="0s", description="Work since the last is lost with the pod; 0s puts none away.")

    @property
    def called(self) -> str:
        """Its name."""
        return self.name or self.kind

    def job_kind(self) -> JobKind:
        """As the cluster sees it."""
        return JobKind(
            self.called,
            self.kind,
            parse_duration(self.every),
            self.pods,
            min(self.min_member or self.pods, self.pods),
            self.shape(self.gpus),
            parse_duration(self.duration),
            self.spread,
            round(self.start_s * SECOND),
            parse_duration(self.checkpoint),
            self.queue,
            self.priority,
        )


class Tenant(Part):
    """A queue of the scheduler."""

    name: str
    weight: int = Field(default=1, ge=1, le=10**6)
    priority: int = Field(default=0, ge=-(10**9), le=10**9)
    most_gpus: float | None = Field(default=None, ge=0, description="A ceiling; none if not given.")
    reclaimable: bool = True

    def as_queue(self) -> Queue:
        """As the scheduler sees it."""
        capability = None if self.most_gpus is None else {GPU: round(self.most_gpus * 1000)}
        return Queue(self.name, self.weight, self.priority, capability=capability, reclaimable=self.reclaimable)


class Scheduler(Part):
    """Who runs where and when, in the cloud and at the edge."""

    policy: Annotated[str | dict[str, Any], BeforeValidator(_policy)] = Field(
        default="default", description="By name, or actions and tiers as in Volcano's configuration: in place or a file."
    )
    pools: tuple[Pool, ...] = Field(min_length=1)
    burst: Burst = Burst()
    background: tuple[Background, ...] = ()
    queues: tuple[Tenant, ...] = Field(default=(Tenant(name="default"),), min_length=1)
    period: Length = Field(default="1s", description="A cycle runs at the next multiple after something has happened.")
    termination: Duration = Field(default="30s", description="A pod that is sent away holds its place so long.")

    def configuration(self) -> Configuration:
        """Actions and tiers.

        Raises:
            InputError: for a policy, an action, a plugin or an argument that there is not.
        """
        if isinstance(self.policy, str):
            return policy(self.policy)
        return configuration_from(self.policy, where=f"{WHERE}.policy")

    def sites(self) -> list[str]:
        """Those that have pools, in the order of the file."""
        return list(dict.fromkeys(pool.site for pool in self.pools))

    def cluster(self, site: str) -> Site:
        """The cluster at a site that has pools."""
        return Site(
            tuple(_nodes(pool for pool in self.pools if pool.site == site)),
            tuple(queue.as_queue() for queue in self.queues),
            self.configuration(),
            BurstRules(
                self.burst.pictures_per_pod,
                self.burst.shape(self.burst.gpu_share),
                self.burst.gpu_share,
                round(self.burst.start_s * SECOND),
                self.burst.queue,
                self.burst.priority,
            ),
            tuple(kind.job_kind() for kind in self.background if kind.site == site),
            parse_duration(self.period),
            parse_duration(self.termination),
        )

    def check(self, stations: Sequence[str]) -> None:
        """Check that all fits together; ``stations`` are those that have an edge node.

        Raises:
            InputError: for a name that points to nothing or is there twice, or pods that can never run.
        """
        self.configuration()
        known = (CLOUD_SITE, *stations)
        for number, pool in enumerate(self.pools):
            if pool.site not in known:
                words = f"'{pool.site}' is neither the cloud nor a station with an edge node"
                raise InputError(words, where=f"{WHERE}.pools.{number}.site", nearest=nearest(pool.site, known))
        _once([pool.name for pool in self.pools], "pools")
        _once([queue.name for queue in self.queues], "queues")
        _once([kind.called for kind in self.background], "background")
        queues = [queue.name for queue in self.queues]
        asking: list[tuple[str, PodNeeds]] = [("burst", self.burst)]
        asking += [(f"background.{number}", kind) for number, kind in enumerate(self.background)]
        for place, needs in asking:
            if needs.queue not in queues:
                hint = nearest(needs.queue, queues)
                raise InputError(f"there is no queue '{needs.queue}'", where=f"{WHERE}.{place}.queue", nearest=hint)
        for number, kind in enumerate(self.background):
            place = f"{WHERE}.background.{number}"
            if kind.site not in self.sites():
                words = f"there is no pool at '{kind.site}' to run it"
                raise InputError(words, where=f"{place}.site", nearest=nearest(kind.site, self.sites()))
            job = kind.job_kind()
            self._check_room(job.shape, job.min_member, kind.site, place)
        for site in self.sites():
            self._check_room(self.burst.shape(self.burst.gpu_share), 1, site, f"{WHERE}.burst")

    def _check_room(self, shape: PodShape, pods: int, site: str, place: str) -> None:
        """Check that so many pods of a shape would fit if nothing else ran."""
        room = 0
        for node in _nodes(pool for pool in self.pools if pool.site == site):
            room += min(node.allocatable.get(name, 0) // amount for name, amount in shape.request)
        if room < pods:
            raise InputError(f"{pods} pods must run at once, and {site} has room for {room} at most", where=place)


def _nodes(pools: Iterator[Pool]) -> Iterator[Node]:
    for pool in pools:
        amounts = {"cpu": round(pool.cpu * 1000), "memory": round(pool.memory_gb * 1e9), GPU: pool.gpus * 1000}
        digits = len(str(pool.nodes - 1))
        yield from (Node(f"{pool.name}-{number:0{digits}d}", amounts) for number in range(pool.nodes))


def _once(names: Sequence[str], what: str) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"'{twice}' is there twice", where=f"{WHERE}.{what}")
