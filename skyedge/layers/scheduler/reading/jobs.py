"""A Volcano ``Job`` as its controller would have it: a pod group, and the pods of each task.

Names, the least that must start together and the least resources of the group are those that Volcano's job controller
works out (``pkg/controllers/job`` of v1.16): pods are called JOB-TASK-N, the group JOB-UID (or JOB, for a job that no
cluster has seen yet), and the least resources are those of the first ``minAvailable`` pods, the tasks with the highest
priority first.
"""

from __future__ import annotations

from collections.abc import Iterator

from skyedge.kube import Manifest
from skyedge.kube.metadata import Metadata
from skyedge.kube.pods import PodSpec, requested
from skyedge.kube.volcano import Job, task_name
from skyedge.layers.scheduler.objects import THOUSANDTHS

FINISHED = frozenset({"Completed", "Failed", "Terminated", "Aborted", "Completing", "Terminating", "Aborting"})
"""Phases of a job that starts no more pods."""


def is_finished(job: Job) -> bool:
    """Whether the job starts no more pods."""
    return job.status.state.phase in FINISHED


def group_name(job: Job) -> str:
    """Name of the job's pod group."""
    return f"{job.metadata.name}-{job.metadata.uid}" if job.metadata.uid else job.metadata.name


def min_task_member(job: Job) -> dict[str, int]:
    """The least number of pods of each task."""
    return {
        task_name(job.spec, number): task.replicas if task.min_available is None else task.min_available
        for number, task in enumerate(job.spec.tasks)
    }


def min_member(job: Job) -> int:
    """The least number of pods that must start together."""
    given = job.spec.min_available
    return sum(min_task_member(job).values()) if given is None else given


def min_resources(job: Job, priorities: list[int]) -> dict[str, int]:
    """What the least number of pods takes, pod slots counted; ``priorities`` are those of the tasks."""
    left, total = min_member(job), {"pods": 0}
    for number in sorted(range(len(job.spec.tasks)), key=lambda task: (-priorities[task], task)):
        task = job.spec.tasks[number]
        many = min(left, task.replicas)
        left -= many
        total["pods"] += many * THOUSANDTHS
        for resource, amount in requested(task.template.spec).items():
            total[resource] = total.get(resource, 0) + many * amount
    return total


def expected_pods(manifest: Manifest[Job]) -> Iterator[tuple[str, str, int, Metadata, PodSpec]]:
    """Name, task, number of the task, metadata and spec of each pod of the job."""
    job = manifest.object
    for number, task in enumerate(job.spec.tasks):
        name = task_name(job.spec, number)
        of_template = task.template.metadata
        labels = {**of_template.labels, "volcano.sh/job-name": job.metadata.name, "volcano.sh/task-spec": name}
        metadata = Metadata(labels=labels, annotations=of_template.annotations)
        for index in range(task.replicas):
            yield f"{job.metadata.name}-{name}-{index}", name, number, metadata, task.template.spec
