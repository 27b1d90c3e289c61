"""What are gangs, fair shares and packing worth to a pool that trains, evaluates and answers what passes land?

A stream of jobs arrives at one cluster and is replayed in virtual time under a policy, which is a configuration of the
scheduler: by name, from a file as a cluster has it, or written in place.  Training jobs are gangs: none of their workers
makes headway until all have a place.  Evaluations are single pods.  After every pass of a real contact plan its pictures
are cut into pods, and the burst is answered when the last of them has ended.

The stream is drawn by the seed and never by the policy, so that arms differ in nothing but who runs where and when.  All
figures come out of running the scheduler on it; what decides them is the stream, and ``Where the figures come from`` in
the report says which parts of it are published and which assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from skyedge.errors import InputError, nearest
from skyedge.experiment.job_streams import CLASSES, DAY_S, GIB, Class, Floats, JobStream, Stream, draw_stream
from skyedge.experiment.study_subject import Findings, Listing, Metric, Series, Subject
from skyedge.layers.scheduler.configuration import Configuration, configuration_from
from skyedge.layers.scheduler.objects import THOUSANDTHS, Node, Queue
from skyedge.layers.scheduler.openb import GPU
from skyedge.layers.scheduler.policies import policy
from skyedge.layers.scheduler.replay import Job, Replay, replay
from skyedge.profiles import Part

HOUR_S = 3600.0
CURVE_POINTS = 400


def _known_policy(value: str | dict[str, Any]) -> str | dict[str, Any]:
    try:
        configuration(value)
    except InputError as error:
        raise ValueError(str(error)) from None
    return value


def configuration(value: str | Mapping[str, Any]) -> Configuration:
    """The policy that a file gives by name, by the name of a file, or in place.

    Raises:
        InputError: for a policy, an action, a plugin or an argument that there is not.
    """
    return policy(value) if isinstance(value, str) else configuration_from(value, where="policy")


class NodeKind(Part):
    """So many machines alike."""

    name: str = Field(min_length=1)
    count: int = Field(ge=1, le=10_000)
    cores: float = Field(gt=0, le=1024)
    memory_gib: float = Field(gt=0, le=65_536)
    gpus: int = Field(default=0, ge=0, le=64)


class Tenant(Part):
    """A queue of the cluster."""

    name: str = Field(min_length=1)
    weight: int = Field(default=1, ge=1, le=10_000)


class BatchSchedulingParameters(JobStream):
    """A cluster, its queues, a stream of jobs, and who decides."""

    policy: Annotated[str | dict[str, Any], AfterValidator(_known_policy)] = Field(
        default="default", description="By name, a file as a cluster has it, or actions and tiers in place."
    )
    nodes: tuple[NodeKind, ...] = Field(
        default=(NodeKind(name="gpu", count=4, cores=96, memory_gib=384, gpus=8),), min_length=1, description="Assumed."
    )
    queues: tuple[Tenant, ...] = Field(
        default=(Tenant(name="research", weight=2), Tenant(name="operations", weight=1)), min_length=1
    )
    interval_s: float = Field(default=5, ge=0.1, le=3600, description="The scheduler is asked at most so often.")
    deadlock_timeout_s: float = Field(
        default=600, ge=1, le=1e7, description="Jobs that lock each other out, until the youngest gives way; assumed."
    )


class BatchScheduling(Subject):
    """Replays a stream of jobs on a cluster under a policy."""

    Parameters = BatchSchedulingParameters
    metrics = {  # noqa: RUF012 - a class attribute of the protocol, never changed
        "makespan_h": Metric("makespan", "h", "less"),
        "utilisation": Metric("GPUs at work", "%"),
        "cpu_utilisation": Metric("cores at work", "%"),
        "held_idle": Metric("GPUs held for nothing", "%", "less"),
        "deadlocks": Metric("deadlocks", "", "less"),
        "completion_mean_h": Metric("completion, mean", "h", "less"),
        "completion_p95_h": Metric("completion p95", "h", "less"),
        "training_wait_h": Metric("training waits, mean", "h", "less"),
        "evaluation_wait_h": Metric("evaluation waits, mean", "h", "less"),
        "burst_mean_s": Metric("burst answered, mean", "s", "less"),
        "burst_p95_s": Metric("burst answered p95", "s", "less"),
        "fairness": Metric("fairness of queues"),
        "lost_pods": Metric("pods sent away", "", "less"),
        "never_ended": Metric("jobs never ended", "", "less"),
    }

    def run(self, parameters: BatchSchedulingParameters, seed: int) -> Findings:
        """Draw the stream of a seed and replay it; see :func:`figures_of`."""
        nodes, queues = cluster(parameters), tuple(Queue(queue.name, queue.weight) for queue in parameters.queues)
        work = draw_stream(parameters, sum(node.device_count for node in nodes), seed)
        _check(parameters, nodes, work.jobs)
        outcome = replay(
            nodes,
            work.jobs,
            queues,
            configuration(parameters.policy),
            interval_s=parameters.interval_s,
            deadlock_timeout_s=parameters.deadlock_timeout_s,
            seed=seed,
        )
        listings = {
            "The stream": Listing(("class", "jobs", "GPU time offered, % of the cluster's"), list(_mix(parameters, work))),
            "Where the figures come from": Listing(("figure", "value", "source"), list(_constants(parameters))),
        }
        return Findings(figures_of(outcome, work, nodes), _series(outcome, work), listings)

    def input_files(self, parameters: BatchSchedulingParameters) -> Iterator[Path]:
        """The policy, if it is a file."""
        if isinstance(parameters.policy, str) and Path(parameters.policy).is_file():
            yield Path(parameters.policy)


def cluster(parameters: BatchSchedulingParameters) -> tuple[Node, ...]:
    """The nodes, named after their kind.

    Raises:
        InputError: if two kinds have one name, or there is no GPU.
    """
    names = [kind.name for kind in parameters.nodes]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise InputError(f"the kind of node '{twice}' is there twice", where="parameters.nodes")
    if not any(kind.gpus for kind in parameters.nodes):
        raise InputError("the cluster has no GPU, and every job of the stream asks for one", where="parameters.nodes")
    nodes = []
    for kind in parameters.nodes:
        has = {"cpu": round(kind.cores * 1000), "memory": round(kind.memory_gib * GIB)}
        if kind.gpus:
            has[GPU] = kind.gpus * THOUSANDTHS
        digits = len(str(kind.count - 1))
        nodes += [Node(f"{kind.name}-{n:0{digits}d}", has, device_count=kind.gpus) for n in range(kind.count)]
    return tuple(nodes)


def _check(parameters: BatchSchedulingParameters, nodes: Sequence[Node], jobs: Sequence[Job]) -> None:
    """Check that every queue is there, and that the empty cluster could run any one job."""
    queues = [queue.name for queue in parameters.queues]
    for name in sorted({job.queue for job in jobs}):
        if name not in queues:
            raise InputError(f"there is no queue '{name}'", where="parameters.queues", nearest=nearest(name, queues))
    for shape, pods in sorted({(job.pods[0], len(job.pods)) for job in jobs}, key=lambda pair: (pair[0].request, pair[1])):
        fit = (min(node.allocatable.get(name, 0) // amount for name, amount in shape.request if amount) for node in nodes)
        room = sum(fit)
        if room < pods:
            wants = f"{pods} pod{'s' if pods > 1 else ''} of {shape.device_count} GPU{'s' if shape.device_count > 1 else ''}"
            raise InputError(f"a job of {wants} fits no empty cluster of these nodes", where="parameters.nodes")


def figures_of(outcome: Replay, work: Stream, nodes: Sequence[Node]) -> dict[str, float]:
    """The metrics of a run.

    ``utilisation`` counts only GPU time that led to the end of a job; ``held_idle`` is the rest of what was held: by gangs
    that had not all their workers, and by work that was lost.  A job that never ended counts as if it had at the end of the
    run, and a burst as one job that is over with its last pod.  ``fairness`` is Jain's index (1984) over queues of the share
    of its jobs' time in the cluster that was work: 1 if the queues' jobs are held up alike.
    """
    ended = ~np.isnan(outcome.end_s)
    last_s = float(outcome.arrival_s.min()) + outcome.span_s
    end_s = np.where(ended, outcome.end_s, last_s)
    start_s = np.where(np.isnan(outcome.start_s), last_s, outcome.start_s)
    works_s = np.array([job.duration_s for job in outcome.jobs])
    gpus = np.array([len(job.pods) * job.pods[0].device_count for job in outcome.jobs])
    cores = np.array([len(job.pods) * dict(job.pods[0].request)["cpu"] / 1000 for job in outcome.jobs])
    has_gpus = sum(node.device_count for node in nodes)
    has_cores = sum(node.allocatable["cpu"] for node in nodes) / 1000
    span_s = outcome.span_s or math.nan
    useful = float((gpus * works_s)[ended].sum()) / (has_gpus * span_s)

    classes = np.array([work.unit[job.name][0] for job in outcome.jobs])
    waited_s = start_s - outcome.arrival_s
    taken_s: dict[tuple[Class, str], float] = {}
    for job, over_s in zip(outcome.jobs, end_s.tolist(), strict=True):
        unit = work.unit[job.name]
        taken_s[unit] = max(taken_s.get(unit, 0.0), over_s - job.arrival_s)
    completion_s = np.array(list(taken_s.values()))
    burst_s = np.array([taken for (kind, _), taken in taken_s.items() if kind == "inference"])
    queue = np.array([job.queue for job in outcome.jobs])
    there_s = end_s - outcome.arrival_s
    speed = np.array([works_s[queue == name].sum() / there_s[queue == name].sum() for name in np.unique(queue)])
    return {
        "makespan_h": span_s / HOUR_S,
        "utilisation": useful,
        "cpu_utilisation": float((cores * works_s)[ended].sum()) / (has_cores * span_s),
        "held_idle": max(
            0.0, round(outcome.gpu_allocation - useful, 9)
        ),  # two sums of the same time differ in the last bits
        "deadlocks": float(outcome.deadlocks),
        "completion_mean_h": float(completion_s.mean()) / HOUR_S,
        "completion_p95_h": float(np.percentile(completion_s, 95)) / HOUR_S,
        "training_wait_h": _mean(waited_s[classes == "training"]) / HOUR_S,
        "evaluation_wait_h": _mean(waited_s[classes == "evaluation"]) / HOUR_S,
        "burst_mean_s": _mean(burst_s),
        "burst_p95_s": float(np.percentile(burst_s, 95)) if len(burst_s) else math.nan,
        "fairness": float(speed.sum()) ** 2 / (len(speed) * float((speed**2).sum())),
        "lost_pods": float(outcome.evictions),
        "never_ended": float((~ended).sum()),
    }


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _series(outcome: Replay, work: Stream) -> dict[str, Series]:
    gpus = np.array([len(job.pods) * job.pods[0].device_count for job in outcome.jobs])
    batch = np.array([work.unit[job.name][0] != "inference" for job in outcome.jobs])
    begun = ~np.isnan(outcome.end_s)
    hours = np.linspace(0, float(outcome.arrival_s.min() + outcome.span_s) / HOUR_S, CURVE_POINTS)

    def level(up_s: Floats, down_s: Floats, weight: NDArray[np.int64]) -> Floats:
        """Sum of the weights of what has begun and not ended, at each of ``hours``."""
        return _until(up_s, weight, hours * HOUR_S) - _until(down_s, weight, hours * HOUR_S)

    working = level(outcome.start_s[begun], outcome.end_s[begun], gpus[begun])
    start_s = np.where(np.isnan(outcome.start_s), np.inf, outcome.start_s)[batch]
    waiting = level(outcome.arrival_s[batch], start_s, np.ones(int(batch.sum()), np.int64))
    return {
        "GPUs at work": Series(hours, working, "hours since the first day began", "GPUs", steps=True),
        "Training and evaluation that waits": Series(hours, waiting, "hours since the first day began", "jobs", steps=True),
    }


def _until(times_s: Floats, weight: NDArray[np.int64], at_s: Floats) -> Floats:
    """The weights of all that comes before each of ``at_s``."""
    order = np.argsort(times_s, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    return np.asarray(total[np.searchsorted(times_s[order], at_s, "right")])


def _mix(parameters: BatchSchedulingParameters, work: Stream) -> Iterator[tuple[str, int, float]]:
    """Of each class, how many jobs (or bursts) and how much GPU time."""
    whole = parameters.days * DAY_S * sum(kind.count * kind.gpus for kind in parameters.nodes)
    for kind in CLASSES:
        jobs = [job for job in work.jobs if work.unit[job.name][0] == kind]
        offered = sum(job.duration_s * len(job.pods) * job.pods[0].device_count for job in jobs)
        yield kind, len({work.unit[job.name] for job in jobs}), 100 * offered / whole


def _constants(parameters: BatchSchedulingParameters) -> Iterator[tuple[str, str, str]]:
    """Each part of the stream with who says so."""
    default = BatchSchedulingParameters()
    for prefix, part, usual in (
        ("", parameters, default),
        ("training.", parameters.training, default.training),
        ("evaluation.", parameters.evaluation, default.evaluation),
        ("inference.", parameters.inference, default.inference),
    ):
        for name, field in type(part).model_fields.items():
            value = getattr(part, name)
            if isinstance(value, Part) or name == "policy":
                continue
            text = f"{value:g}" if isinstance(value, float) else _words(value)
            same = value == getattr(usual, name)
            yield f"{prefix}{name}", text, (field.description or "a choice") if same else "set in the file"


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return "; ".join(" ".join(f"{name} {one}" for name, one in part.model_dump().items()) for part in value)
    return str(value)
