"""GPU fragmentation: how much of what is unallocated on a node is of no use to the workload that is to be expected.

After Weng, Yang, Yu, Wang, Tang, Yang and Zhang, "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with
Fragmentation Gradient Descent", USENIX ATC 2023.  The target workload is a distribution over classes of tasks.  For one
class m, the fragment F_n(m) of node n is

- all of the GPU that is unallocated, if a task of the class cannot run there: too little CPU, too few GPUs with enough
  left, another model of GPU, or no GPU asked for at all (such a task takes CPU away and leaves GPU stranded);
- otherwise the sum of those GPUs' residuals that are less than the task needs of one GPU.

and F_n = Σ_m p_m F_n(m).  A node's fragment is therefore what is unallocated less what the classes that still fit can use,

    F_n = unallocated_n − Σ_k [enough GPUs]·usable_k(n)·W(model_n, k, CPU left on n),

with k over the distinct GPU needs and W the popularity of the classes that have need k, take the model and ask for no
more CPU than is left.  W is a table, made once; a class costs nothing after that, and there are fewer needs than classes.

Amounts are thousandths, of a core and of a GPU.  Memory plays no part, as in the paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.scheduler.objects import PodShape

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COVERAGE = 0.95
"""Share of all pods that the classes of the target workload must stand for; rarer classes are left out."""


@dataclass(frozen=True, order=True)
class TaskClass:
    """Tasks that are alike: CPU in milli-cores, GPUs, thousandths of each, models that will do (any if empty)."""

    cpu_milli: int
    device_count: int
    device_milli: int
    device_models: tuple[str, ...] = ()


Workload = Mapping[TaskClass, float]
"""Popularity of each class; they add up to 1."""


def class_of(shape: PodShape) -> TaskClass:
    """The class that pods of ``shape`` belong to."""
    cpu_milli = dict(shape.request).get("cpu", 0)
    return TaskClass(cpu_milli, shape.device_count, shape.device_milli, shape.device_models)


def target_workload(classes: Iterable[TaskClass], coverage: float = COVERAGE) -> dict[TaskClass, float]:
    """The most popular classes that together stand for ``coverage`` of the tasks, and their shares among themselves.

    Ties go to the larger class, so that the order of ``classes`` does not matter.
    """
    counts = Counter(classes)
    total = sum(counts.values())
    kept: dict[TaskClass, int] = {}
    for task, count in sorted(counts.items(), key=lambda item: (item[1], item[0]), reverse=True):
        if sum(kept.values()) >= coverage * total:
            break
        kept[task] = count
    covered = sum(kept.values())
    return {task: count / covered for task, count in kept.items()}


class Fragmentation:
    """Fragmentation of many nodes at once, for one target workload.

    Args:
        workload: popularity of each class.
        models: the models of GPU that there are; nodes are given by their numbers in it.
    """

    def __init__(self, workload: Workload, models: Sequence[str]) -> None:
        self._mass = sum(workload.values())
        asking = {task: popularity for task, popularity in workload.items() if task.device_count}
        needs = sorted({(task.device_count, task.device_milli) for task in asking})
        number = {need: row for row, need in enumerate(needs)}
        self.count: Ints = np.array([count for count, _ in needs], np.int64)
        self.milli: Ints = np.array([milli for _, milli in needs], np.int64)
        self.cpu_levels: Ints = np.unique(np.array([task.cpu_milli for task in asking], np.int64))
        # W(model, CPU left, need): by level of CPU, the popularity of the classes that ask for no more than that.
        table = np.zeros((len(models), len(self.cpu_levels) + 1, len(needs)))
        for task, popularity in asking.items():
            level = int(np.searchsorted(self.cpu_levels, task.cpu_milli)) + 1
            for row, model in enumerate(models):
                if not task.device_models or model in task.device_models:
                    table[row, level, number[task.device_count, task.device_milli]] += popularity
        self._weight = table.cumsum(axis=1)

    def of(self, cpu_milli: Ints, devices: Ints, model: Ints) -> Floats:
        """Fragmentation of each node, (nodes,), in thousandths of a GPU.

        Args:
            cpu_milli: (nodes,), CPU left.
            devices: (nodes, most devices on a node), what is left of each GPU; 0 where there is none.
            model: (nodes,), number of the node's model.
        """
        enough, usable = self._tally(devices)
        return self._wasted(devices.sum(axis=1), enough, usable, self._weight_of(cpu_milli, model))

    def after_share(self, cpu_milli: Ints, devices: Ints, model: Ints, milli: int) -> Floats:
        """Fragmentation if ``milli`` were taken from each device in turn, (nodes, devices); infinite where it has less.

        ``cpu_milli`` is what will be left; the other arguments are as for :meth:`of`.
        """
        many, usable = self._tally(devices)
        before = devices[:, :, None]
        after = before - milli
        fits_before, fits_after = before >= self.milli, after >= self.milli
        many = many[:, None, :] - fits_before + fits_after
        usable = usable[:, None, :] - before * fits_before + after * fits_after
        left = devices.sum(axis=1)[:, None] - milli
        wasted = self._wasted(left, many, usable, self._weight_of(cpu_milli, model)[:, None, :])
        return np.where(devices >= milli, wasted, np.inf)

    def after(self, cpu_milli: Ints, devices: Ints, model: Ints, count: int, milli: int) -> Floats:
        """Fragmentation if ``milli`` were taken from each of the ``count`` fullest devices that have it, (nodes,).

        Infinite where fewer have it.
        """
        if not count:
            return self.of(cpu_milli, devices, model)
        if count == 1:
            return self.after_share(cpu_milli, devices, model, milli).min(axis=1)
        free = np.sort(devices, axis=1)
        rank = (free >= milli).cumsum(axis=1)
        taken = np.where((free >= milli) & (rank <= count), milli, 0)
        return np.where(rank[:, -1] >= count, self.of(cpu_milli, free - taken, model), np.inf)

    def _tally(self, devices: Ints) -> tuple[Ints, Ints]:
        """For each need, how many devices have as much left, and how much those have together, (nodes, needs)."""
        fits = devices[:, :, None] >= self.milli
        return fits.sum(axis=1), (devices[:, :, None] * fits).sum(axis=1)

    def _weight_of(self, cpu_milli: Ints, model: Ints) -> Floats:
        level = np.searchsorted(self.cpu_levels, cpu_milli, side="right")
        return self._weight[model, level]

    def _wasted(self, left: Ints, many: Ints, usable: Ints, weight: Floats) -> Floats:
        return self._mass * left - ((many >= self.count) * usable * weight).sum(axis=-1)
