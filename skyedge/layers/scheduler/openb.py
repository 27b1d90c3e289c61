"""The openb format of GPU cluster traces (Alibaba 2023, used by Weng et al., USENIX ATC 2023): two kinds of CSV file.

Nodes: ``sn,cpu_milli,memory_mib,gpu,model`` in ``openb_node_list_*.csv``.  Pods: ``name,cpu_milli,memory_mib,num_gpu,
gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time`` in ``openb_pod_list_*.csv``; times are
seconds, ``gpu_milli`` thousandths of each GPU asked for, ``gpu_spec`` models that will do with | between them.  Columns
from ``qos`` on may be missing, and so may be times of single pods.

Rows are sorted by name, so that the order of a file's lines decides nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.objects import THOUSANDTHS, Node, PodShape

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MIB = 1 << 20
GREATEST = 10**12
"""No figure is larger: a trillion MiB is an exbibyte."""
GPU = "nvidia.com/gpu"
"""The resource that stands for GPUs in accounts by resource, in thousandths."""

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
NODE_COLUMNS_NEEDED = NODE_COLUMNS[:4]
POD_COLUMNS = (
    *("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "qos", "pod_phase"),
    *("creation_time", "deletion_time", "scheduled_time"),
)
POD_COLUMNS_NEEDED = POD_COLUMNS[:5]

NODE_FILES, POD_FILES = "openb_node_list_", "openb_pod_list_"
"""What the names of the files begin with."""
PREFERRED_NODES = "openb_node_list_gpu_node.csv"
PREFERRED_PODS = "openb_pod_list_default.csv"
NO_QUEUE = "default"


@dataclass(frozen=True, eq=False)
class Trace:
    """A cluster and a list of pods, as columns.

    Attributes:
        nodes: by name, GPUs included.
        names, shapes: of the pods; equal shapes are one object.
        queues: class of service of each pod.
        created_s: when it came, (pods,); NaN where it is not said.
        duration_s: how long it ran, (pods,); infinite where its end is not said.
        node_file, pod_file: where all of this was read.
    """

    nodes: tuple[Node, ...]
    names: tuple[str, ...]
    shapes: tuple[PodShape, ...]
    queues: tuple[str, ...]
    created_s: Floats
    duration_s: Floats
    node_file: Path
    pod_file: Path

    def __len__(self) -> int:
        return len(self.names)

    @property
    def gpus(self) -> int:
        """GPUs of the cluster."""
        return sum(node.device_count for node in self.nodes)

    def device_milli(self) -> Ints:
        """Thousandths of a GPU that each pod asks for in all, (pods,)."""
        return np.array([shape.device_count * shape.device_milli for shape in self.shapes], np.int64)


def read_trace(directory: Path, *, nodes: str | None = None, pods: str | None = None) -> Trace:
    """Read the node list and the pod list of ``directory``.

    Args:
        nodes: which node list, by the name of its file or by what stands in the place of the star; with None the only
            one, or that of the nodes with GPUs, or the first by name.
        pods: which pod list, likewise; with None the only one, or the default one, or the first by name.

    Raises:
        InputError: if there is none, or one is not as the format wants it: file, line, column.
    """
    if not directory.is_dir():
        raise InputError("there is no such folder", where=directory)
    node_file = _choose(directory, NODE_FILES, nodes, PREFERRED_NODES, "--nodes")
    pod_file = _choose(directory, POD_FILES, pods, PREFERRED_PODS, "--pods")
    return _trace(_read_nodes(node_file), node_file, pod_file)


def candidates(directory: Path, prefix: str) -> list[Path]:
    """The files of ``directory`` that a list could be read from, by name."""
    return sorted(directory.glob(f"{prefix}*.csv"))


def _choose(directory: Path, prefix: str, wanted: str | None, preferred: str, option: str) -> Path:
    there = candidates(directory, prefix)
    if not there:
        raise InputError(f"there is no file {prefix}*.csv", where=directory)
    names = {path.name: path for path in there}
    if wanted is None:
        return names.get(preferred, there[0])
    for name in (wanted, f"{wanted}.csv", f"{prefix}{wanted}.csv", f"{prefix}{wanted}"):
        if name in names:
            return names[name]
    parts = [name.removeprefix(prefix).removesuffix(".csv") for name in names]
    right = nearest(wanted, [*names, *parts])
    raise InputError(f"{option}: there is no list '{wanted}'", where=directory, nearest=right)


def _read_nodes(path: Path) -> tuple[Node, ...]:
    table = _read(path, NODE_COLUMNS, NODE_COLUMNS_NEEDED)
    columns = {name: _whole(table, name, path).tolist() for name in ("cpu_milli", "memory_mib", "gpu")}
    rows = zip(table["sn"], table["model"], columns["cpu_milli"], columns["memory_mib"], columns["gpu"], strict=True)
    nodes = []
    for name, model, cpu_milli, memory_mib, gpus in rows:
        amounts = {"cpu": cpu_milli, "memory": memory_mib * MIB}
        if gpus:
            amounts[GPU] = gpus * THOUSANDTHS
        nodes.append(Node(name, amounts, device_count=gpus, device_model=model if gpus else ""))
    return tuple(nodes)


def _trace(nodes: tuple[Node, ...], node_file: Path, pod_file: Path) -> Trace:
    table = _read(pod_file, POD_COLUMNS, POD_COLUMNS_NEEDED)
    numbers = [_whole(table, name, pod_file) for name in ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")]
    _, _, gpus, milli = numbers
    _refuse(table, (gpus > 0) & (milli == 0), pod_file, "gpu_milli", "a pod that asks for GPUs asks for some of each")
    _refuse(table, (gpus == 0) & (milli > 0), pod_file, "num_gpu", "a pod that asks for thousandths of a GPU asks for one")
    _refuse(table, milli > THOUSANDTHS, pod_file, "gpu_milli", f"a GPU has {THOUSANDTHS} thousandths and no more")
    known: dict[tuple[int, int, int, int, str], PodShape] = {}
    keys = list(zip(*[column.tolist() for column in numbers], table["gpu_spec"].tolist(), strict=True))
    for key in keys:
        if key not in known:
            known[key] = _shape(*key)
    created_s, deleted_s, scheduled_s = (_seconds(table, name, pod_file) for name in POD_COLUMNS[8:])
    started_s = np.where(np.isnan(scheduled_s), created_s, scheduled_s)
    # A few pods of real traces are recorded as deleted in the second before they were scheduled.
    duration_s = np.maximum(deleted_s - started_s, 0.0)
    return Trace(
        nodes=nodes,
        names=tuple(table["name"]),
        shapes=tuple(known[key] for key in keys),
        queues=tuple(qos or NO_QUEUE for qos in table["qos"]),
        created_s=created_s,
        duration_s=np.where(np.isnan(duration_s), np.inf, duration_s),
        node_file=node_file,
        pod_file=pod_file,
    )


def _shape(cpu_milli: int, memory_mib: int, gpus: int, gpu_milli: int, spec: str) -> PodShape:
    request = [("cpu", cpu_milli), ("memory", memory_mib * MIB)]
    if gpus:
        request.append((GPU, gpus * gpu_milli))
    models = tuple(sorted({model.strip() for model in spec.split("|")} - {""}))
    return PodShape(tuple(request), device_count=gpus, device_milli=gpu_milli, device_models=models if gpus else ())


def _read(path: Path, columns: Sequence[str], needed: Sequence[str]) -> pd.DataFrame:
    """A table of text with all ``columns``, empty where the file has none, sorted by the first; index is the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = [name.strip() for name in next(csv.reader(file), [])]
        for column in needed:
            if column not in header:
                raise InputError(f"there is no column '{column}'", where=f"{path}:1", nearest=nearest(column, header))
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", names=header, header=0, index_col=False,
            skip_blank_lines=False, on_bad_lines="error",
        )  # fmt: skip
    except UnicodeDecodeError:
        raise InputError("this is not a text file in UTF-8", where=path) from None
    except (ValueError, csv.Error) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"this is no CSV file: {error}", where=path) from None
    table.index = pd.RangeIndex(2, len(table) + 2)
    table = table.reindex(columns=list(columns), fill_value="").fillna("").apply(lambda column: column.str.strip())
    name = columns[0]
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise InputError("there is nothing below the first line", where=path)
    _refuse(table, (table[name] == "").to_numpy(), path, name, "this should be a name")
    twice = table[name].duplicated().to_numpy()
    if twice.any():
        line = int(table.index[twice].min())
        raise InputError(f"{name}: '{table[name][line]}' is there twice", where=f"{path}:{line}")
    return table.sort_values(name, kind="stable")


def _numbers(table: pd.DataFrame, column: str) -> Floats:
    return np.asarray(pd.to_numeric(table[column], errors="coerce"), np.float64)


def _whole(table: pd.DataFrame, column: str, path: Path) -> Ints:
    """A column of whole numbers, none below zero."""
    numbers = _numbers(table, column)
    with np.errstate(invalid="ignore"):
        bad = ~((numbers >= 0) & (numbers == np.floor(numbers)))
    _refuse(table, bad, path, column, "this should be a whole number, 0 or more")
    _refuse(table, numbers > GREATEST, path, column, f"this should be {GREATEST:,} or less")
    return numbers.astype(np.int64)


def _seconds(table: pd.DataFrame, column: str, path: Path) -> Floats:
    """A column of seconds, NaN where nothing is said."""
    numbers = _numbers(table, column)
    said = (table[column] != "").to_numpy()
    _refuse(table, said & ~np.isfinite(numbers), path, column, "this should be a number of seconds, or nothing")
    return numbers


def _refuse(table: pd.DataFrame, bad: NDArray[np.bool_], path: Path, column: str, sentence: str) -> None:
    if bad.any():
        line = int(table.index[bad].min())
        value = table[column][line]
        raise InputError(f"{column}: {sentence}, not '{value}'", where=f"{path}:{line}")
