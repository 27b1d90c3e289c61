"""A stream of jobs for one pool of GPUs: training, evaluation, and inference after every pass of a contact plan.

Training jobs are gangs: none of their workers makes headway until all have a place.  Evaluations are single pods.  What a
pass has landed is cut into pods, and the burst is answered when the last of them has ended.  Bursts come as the sky has
them and evaluations ask for a stated share of the load; training takes the rest.

How many workers training jobs have and how widely their durations spread is published; what else is assumed says so in its
description.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from skyedge.errors import InputError
from skyedge.experiment.studies.elastic_burst import Flight, contact_plan
from skyedge.layers.elastic.passes import pictures_that_land
from skyedge.layers.scheduler.objects import THOUSANDTHS, PodShape
from skyedge.layers.scheduler.openb import GPU
from skyedge.layers.scheduler.replay import Job
from skyedge.profiles import Part
from skyedge.streams import stream
from skyedge.time import SECOND

GIB = 1 << 30
DAY_S = 86_400.0
MOST_JOBS = 10**6

CLASSES = ("training", "evaluation", "inference")
Class = Literal["training", "evaluation", "inference"]
Floats = NDArray[np.float64]

PHILLY = "Gavel's sampler of the Philly trace (Narayanan et al., OSDI 2020; Jeon et al., ATC 2019)"


class Workers(Part):
    """A share of the training jobs has so many workers."""

    workers: int = Field(ge=1, le=10_000)
    share: float = Field(gt=0, description="Of the jobs; shares need not add up to 1.")


class WorkerGpus(Part):
    """A share of the training jobs has workers with so many GPUs each."""

    gpus: int = Field(ge=1, le=64)
    share: float = Field(gt=0, description="Of the jobs; shares need not add up to 1.")


class QueueShare(Part):
    """A share of a class of jobs goes to a queue."""

    queue: str
    share: float = Field(gt=0)


BOTH_QUEUES = (QueueShare(queue="research", share=2), QueueShare(queue="operations", share=1))


class Training(Part):
    """Gangs, which take what the other classes leave of the load."""

    workers: tuple[Workers, ...] = Field(
        default=tuple(Workers(workers=n, share=share) for n, share in ((1, 0.7), (2, 0.1), (4, 0.15), (8, 0.05))),
        min_length=1,
        description=f"1, 2, 4 and 8: {PHILLY}.",
    )
    gpus_per_worker: tuple[WorkerGpus, ...] = Field(
        default=tuple(WorkerGpus(gpus=n, share=share) for n, share in ((1, 0.6), (2, 0.2), (4, 0.2))),
        min_length=1,
        description="Assumed: the sampler has one a worker; a model that fits no single GPU takes more.",
    )
    cores_per_gpu: float = Field(default=8, gt=0, le=128, description="Assumed.")
    memory_gib_per_gpu: float = Field(default=32, gt=0, le=4096, description="Assumed.")
    median_s: float = Field(
        default=1800, gt=0, le=1e7, description="Assumed; 10^2.5 minutes in the sampler, of models far larger than these."
    )
    sigma: float = Field(default=1.5, ge=0, le=4, description=f"Of the log-normal; the spread of log duration in {PHILLY}.")
    longest_s: float = Field(default=DAY_S, gt=0, le=1e8, description="Assumed: what runs longer is cut off.")
    queues: tuple[QueueShare, ...] = Field(default=BOTH_QUEUES, min_length=1, description="Assumed.")


class Evaluation(Part):
    """Single pods of one GPU."""

    load_share: float = Field(default=0.03, ge=0, le=1, description="Of the GPU time that is offered; assumed.")
    median_s: float = Field(default=600, gt=0, le=1e7, description="Assumed.")
    sigma: float = Field(default=0.8, ge=0, le=4, description="Of the log-normal; assumed.")
    cores: float = Field(default=8, gt=0, le=1024, description="Assumed.")
    memory_gib: float = Field(default=32, gt=0, le=4096, description="Assumed.")
    queues: tuple[QueueShare, ...] = Field(default=BOTH_QUEUES, min_length=1, description="Assumed.")


class Inference(Part):
    """The bursts: what a pass has landed is there to be looked at when the pass has ended."""

    flight: Flight = Flight()
    pictures_per_pod: int = Field(default=200, ge=1, le=10**6, description="A choice.")
    seconds_per_picture: float = Field(
        default=0.055, gt=0, le=3600, description="9e11 multiply-accumulates at 2e13 a second (cloud-gpu), and 10 ms."
    )
    start_s: float = Field(default=10, ge=0, le=3600, description="A pod, before its first picture; assumed.")
    cores: float = Field(default=4, gt=0, le=1024, description="Assumed.")
    memory_gib: float = Field(default=16, gt=0, le=4096, description="Assumed.")
    queue: str = "operations"
    priority: int = Field(
        default=100, ge=0, le=10**9, description="Of its pods; all others have 0. Some policies look at it."
    )


class JobStream(Part):
    """What arrives at a pool, and how much of it."""

    days: int = Field(
        default=2, ge=1, le=60, description="For so long jobs arrive; the run goes on until the last has ended."
    )
    load: float = Field(default=0.8, gt=0, le=10, description="GPU time offered ÷ what the GPUs have while jobs arrive.")
    daily_swing: float = Field(
        default=0.5, ge=0, le=1, description="Of the rate of arrivals around its mean, over a day; assumed. 0 is Poisson."
    )
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    inference: Inference = Inference()


@dataclass(frozen=True)
class Stream:
    """What arrives: jobs as the replay takes them, and what each is for.

    Args:
        jobs: in any order; a burst is several of them.
        unit: by name of a job, the class and the job or burst that it is of.
    """

    jobs: tuple[Job, ...]
    unit: Mapping[str, tuple[Class, str]]


def draw_stream(parameters: JobStream, gpus: int, seed: int) -> Stream:
    """The jobs of a seed for a pool of so many GPUs.

    Raises:
        InputError: if bursts and evaluations alone offer more than the load, or the stream is beyond all measure.
    """
    window_s = parameters.days * DAY_S
    offered = parameters.load * window_s * gpus
    bursts = list(_bursts(parameters, seed))
    left = offered - sum(job.duration_s for job in bursts)
    evaluating = parameters.evaluation.load_share * offered
    if left < evaluating:
        raise InputError(
            f"bursts and evaluations alone offer more than a load of {parameters.load:g}; raise parameters.load",
            where="parameters.inference",
        )
    evaluations = list(_evaluations(parameters, seed, evaluating))
    trainings = list(_trainings(parameters, seed, left - evaluating))
    unit: dict[str, tuple[Class, str]] = {job.name: ("inference", job.name.rpartition("-")[0]) for job in bursts}
    unit |= {job.name: ("evaluation", job.name) for job in evaluations}
    unit |= {job.name: ("training", job.name) for job in trainings}
    return Stream((*trainings, *evaluations, *bursts), unit)


def _trainings(parameters: JobStream, seed: int, gpu_seconds: float) -> Iterator[Job]:
    """Gangs, drawn one after another until they ask for ``gpu_seconds``: a lighter load has the first of a heavier one's."""
    training = parameters.training
    most = _at_most(gpu_seconds, min(training.median_s, training.longest_s))
    workers = _choice(seed, "training workers", [(one.workers, one.share) for one in training.workers], most)
    gpus = _choice(seed, "training GPUs", [(one.gpus, one.share) for one in training.gpus_per_worker], most)
    queues = _choice(seed, "training queue", _shares(training.queues), most)
    spread = stream(seed, "batch-scheduling", "training duration").lognormal(0, training.sigma, most)
    duration_s: Floats = np.minimum(training.median_s * spread, training.longest_s)
    count = _enough(np.asarray(duration_s * workers * gpus), gpu_seconds)
    arrival_s = _arrivals(parameters, seed, "training arrival", count)
    for number in range(count):
        each = int(gpus[number])
        shape = pod_shape(each * training.cores_per_gpu, each * training.memory_gib_per_gpu, each)
        pods = (shape,) * int(workers[number])
        queue = training.queues[int(queues[number])].queue
        yield Job(f"training-{number:06d}", float(arrival_s[number]), float(duration_s[number]), pods, queue)


def _evaluations(parameters: JobStream, seed: int, gpu_seconds: float) -> Iterator[Job]:
    evaluation = parameters.evaluation
    most = _at_most(gpu_seconds, evaluation.median_s)
    queues = _choice(seed, "evaluation queue", _shares(evaluation.queues), most)
    spread = stream(seed, "batch-scheduling", "evaluation duration").lognormal(0, evaluation.sigma, most)
    duration_s = evaluation.median_s * spread
    count = _enough(duration_s, gpu_seconds)
    arrival_s = _arrivals(parameters, seed, "evaluation arrival", count)
    pods = (pod_shape(evaluation.cores, evaluation.memory_gib, 1),)
    for number in range(count):
        queue = evaluation.queues[int(queues[number])].queue
        yield Job(f"evaluation-{number:06d}", float(arrival_s[number]), float(duration_s[number]), pods, queue)


def _bursts(parameters: JobStream, seed: int) -> Iterator[Job]:
    """A pod for each part of what a pass has landed; they arrive together when its last picture has."""
    inference = parameters.inference
    flight = inference.flight.model_copy(update={"days": parameters.days})
    plan, start = contact_plan(flight, seed)
    landed = pictures_that_land(plan, flight.picture_bytes, flight.filled)
    shape = pod_shape(inference.cores, inference.memory_gib, 1)
    for session in np.unique(landed.session).tolist():
        times = landed.at_us[landed.session == session]
        arrival_s = float(times.max() - start) / SECOND
        for part, first in enumerate(range(0, len(times), inference.pictures_per_pod)):
            pictures = min(inference.pictures_per_pod, len(times) - first)
            duration_s = inference.start_s + pictures * inference.seconds_per_picture
            name = f"pass-{session:05d}-{part:03d}"
            yield Job(name, arrival_s, duration_s, (shape,), inference.queue, priority=inference.priority)


def _at_most(gpu_seconds: float, median_s: float) -> int:
    """More jobs than it takes: every second one is at least as long as the median, and has one GPU or more."""
    jobs = 4 * math.ceil(gpu_seconds / median_s) + 100
    if jobs > MOST_JOBS:
        raise InputError(f"a stream of up to {jobs:,} jobs of a class is more than can be; let them be longer, or fewer")
    return jobs


def _shares(queues: Sequence[QueueShare]) -> list[tuple[int, float]]:
    return [(number, one.share) for number, one in enumerate(queues)]


def _choice(seed: int, purpose: str, weighted: Sequence[tuple[int, float]], count: int) -> NDArray[np.int64]:
    """Values drawn by their weights, (count,); fewer of them are the first of more."""
    values, weights = np.array([value for value, _ in weighted], np.int64), np.array([weight for _, weight in weighted])
    draw = stream(seed, "batch-scheduling", purpose)
    return np.asarray(draw.choice(values, count, p=weights / weights.sum()))


def _enough(work: Floats, wanted: float) -> int:
    """How many of the first jobs come nearest to ``wanted`` together."""
    return int(np.abs(np.concatenate([[0.0], np.cumsum(work)]) - wanted).argmin())


def _arrivals(parameters: JobStream, seed: int, purpose: str, count: int) -> Floats:
    """Times of arrival, at random at a rate that goes up and down once a day, (count,), seconds."""
    quarters_s = np.linspace(0, parameters.days * DAY_S, parameters.days * 96 + 1)
    turn = 2 * np.pi / DAY_S
    arrived = quarters_s + parameters.daily_swing * (1 - np.cos(turn * quarters_s)) / turn
    drawn = stream(seed, "batch-scheduling", purpose).uniform(0, arrived[-1], count)
    return np.interp(drawn, arrived, quarters_s)


def pod_shape(cores: float, memory_gib: float, gpus: int) -> PodShape:
    """A pod as the scheduler sees it."""
    request = (("cpu", round(cores * 1000)), ("memory", round(memory_gib * GIB)), (GPU, gpus * THOUSANDTHS))
    return PodShape(request, device_count=gpus, device_milli=THOUSANDTHS)
