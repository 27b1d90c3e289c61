"""Make ``experiments/traces/openb-sample``: a small synthetic trace in the openb format.

    python experiments/traces/make_openb_sample.py

Nothing in it comes from a recorded trace.  Like the trace that Weng et al. (USENIX ATC 2023) describe, it has a mix of GPU
models and node sizes, and these shares of pods by what they ask for: no GPU 13.3 %, part of one 37.8 %, one 48.0 %,
two 0.2 %, four 0.2 %, eight 0.5 %.  All other distributions are ours: CPU follows the GPUs asked for with a spread, a
seventh of the GPU pods insist on a model, pods arrive within one day, about noon more than about midnight, and run for
some hours, some for days.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from skyedge.streams import stream

SEED = 2023
FOLDER = Path(__file__).parent / "openb-sample"
DAY_S = 86_400

LISTS = {"default": (500, 9 * 3600), "busy": (1500, 5 * 3600)}
"""Pods of each list, and the median of their durations in seconds: one that just fits, one that makes pods wait."""

# Model, nodes, milli-cores, MiB, GPUs.
NODES = [
    ("G1", 4, 96_000, 393_216, 8),
    ("G2", 28, 96_000, 393_216, 8),
    ("G3", 2, 128_000, 786_432, 8),
    ("T4", 24, 64_000, 262_144, 2),
    ("P100", 8, 64_000, 262_144, 2),
    ("V100M16", 4, 64_000, 262_144, 4),
    ("V100M32", 4, 96_000, 393_216, 4),
    ("A10", 2, 64_000, 262_144, 1),
]
WITHOUT_GPU = ("", 12, 64_000, 262_144, 0)

SHARES = {(0, 0): 13.3, (1, 0): 37.8, (1, 1000): 48.0, (2, 1000): 0.2, (4, 1000): 0.2, (8, 1000): 0.5}
"""GPUs and thousandths of each, to percent of pods; (1, 0) stands for a part of one."""
PARTS = (100, 150, 200, 250, 300, 330, 400, 460, 500, 600, 700, 810, 900)
MODELS = ("G2", "T4", "P100", "V100M16|V100M32", "V100M32", "G1|G2|G3")
CPU_FOR_PART = (2_000, 3_200, 4_000, 6_000, 8_000, 12_000)
CPU_PER_GPU = (4_000, 8_000, 11_400, 12_000, 16_000)
CPU_ALONE = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
QUALITIES = {"LS": 0.55, "BE": 0.25, "Burstable": 0.15, "Guaranteed": 0.05}


def nodes(kinds: Iterable[tuple[str, int, int, int, int]]) -> list[Sequence[object]]:
    """Rows of the node list."""
    flat = [(cpu, memory, gpus, model) for model, many, cpu, memory, gpus in kinds for _ in range(many)]
    return [(f"openb-node-{number:04d}", *rest) for number, rest in enumerate(flat)]


def pods(name: str, many: int, median_s: float) -> list[Sequence[object]]:
    """Rows of a pod list."""
    draw = stream(SEED, "openb-sample", name)
    percent = np.array(list(SHARES.values()))
    kinds = draw.choice(len(SHARES), size=many, p=percent / percent.sum())
    arrivals = np.sort(_by_day(draw.random(many)))
    rows: list[Sequence[object]] = []
    for number, (kind, created) in enumerate(zip(kinds, arrivals, strict=True)):
        gpus, milli = list(SHARES)[kind]
        if gpus and not milli:
            milli, cpu = int(draw.choice(PARTS)), int(draw.choice(CPU_FOR_PART))
        else:
            cpu = int(draw.choice(CPU_PER_GPU)) * gpus if gpus else int(draw.choice(CPU_ALONE))
        cpu = min(cpu, 96_000)
        memory = cpu // 1000 * int(draw.choice((2_048, 4_096)))
        model = str(draw.choice(MODELS)) if gpus in (1, 2) and draw.random() < 1 / 7 else ""
        quality = str(draw.choice(list(QUALITIES), p=list(QUALITIES.values())))
        scheduled = int(created) + int(draw.exponential(20))
        runs = int(np.clip(draw.lognormal(np.log(median_s), 1.2), 30, 3 * DAY_S))
        phase = str(draw.choice(("Running", "Succeeded", "Failed"), p=(0.6, 0.2, 0.2)))
        rows.append((
            f"openb-pod-{number:04d}", cpu, memory, gpus, milli, model, quality, phase,
            int(created), scheduled + runs, scheduled,
        ))  # fmt: skip
    return rows


def _by_day(uniform: np.ndarray) -> np.ndarray:
    """Seconds of one day, three times as many about noon as about midnight."""
    grid = np.linspace(0, 1, 1441)
    density = 2.0 - np.cos(2 * np.pi * grid)
    rising = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return np.asarray(np.interp(uniform, rising / rising[-1], grid * DAY_S))


def write(name: str, header: str, rows: Iterable[Sequence[object]]) -> None:
    """One CSV file of the sample."""
    with (FOLDER / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def main() -> None:
    """Write the four files."""
    FOLDER.mkdir(exist_ok=True)
    node_header = "sn,cpu_milli,memory_mib,gpu,model"
    write("openb_node_list_gpu_node.csv", node_header, nodes(NODES))
    write("openb_node_list_all_node.csv", node_header, nodes([*NODES, WITHOUT_GPU]))
    pod_header = (
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
    )
    for name, (many, median_s) in LISTS.items():
        write(f"openb_pod_list_{name}.csv", pod_header, pods(name, many, median_s))


if __name__ == "__main__":
    main()
