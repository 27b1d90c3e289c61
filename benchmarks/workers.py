"""Eight independent runs on two Ray workers against one: is the second core worth having?

python benchmarks/workers.py [DURATION]      (42d if not given; exit status 1 if the ratio is below 1.7)

Each run renders its own seed and fills its own prediction tables (no cache), which takes some 20 s or more.  The clock
runs from the start of the first run to the end of the last; what it takes to start the workers is printed apart.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time

from skyedge.experiment.loading import load_experiment
from skyedge.experiment.run import run_arm
from skyedge.experiment.spec import Experiment
from skyedge.runtime.ray_cluster import cluster
from skyedge.runtime.run_pool import Job, run_on_ray

BAR = 1.7
RUNS = 8
ARM = "collaborative"


def timed_run(experiment: Experiment, seed: int) -> tuple[float, float, float]:
    """One run: when it began and ended on the wall, and the CPU seconds that it took."""
    began, worked = time.time(), time.process_time()
    run_arm(experiment, ARM, seed, None)
    return began, time.time(), time.process_time() - worked


def wall_seconds(experiment: Experiment, workers: int) -> float:
    with cluster(None, workers) as ray:
        asked = time.time()
        jobs = [Job(seed, (experiment, seed), f"seed {seed}") for seed in experiment.seeds]
        times = [result for _, result in run_on_ray(ray, timed_run, jobs, workers)]
    first, last = min(began for began, _, _ in times), max(ended for _, ended, _ in times)
    runs = ", ".join(f"{ended - began:.0f}" for began, ended, _ in times)
    cpu = sum(cpu for _, _, cpu in times)
    print(
        f"{workers} worker{'s' if workers > 1 else ' '}: {last - first:6.1f} s; runs of {runs} s, {cpu:.0f} s of CPU in all;"
    )
    print(f"           start of the workers {first - asked:.1f} s apart; load average {os.getloadavg()[0]:.1f}", flush=True)
    return last - first


def main() -> int:
    duration = sys.argv[1] if len(sys.argv) > 1 else "42d"
    experiment = load_experiment("tiansuan", [f"time.duration={duration}"], seeds=f"0-{RUNS - 1}")
    print(f"{RUNS} runs of {duration} on {os.cpu_count()} cores; load average {os.getloadavg()[0]:.1f}", flush=True)
    two, one = wall_seconds(experiment, 2), wall_seconds(experiment, 1)
    print(f"ratio {one / two:.2f}, bar {BAR}: {'met' if one / two >= BAR else 'MISSED'}")
    return 0 if one / two >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
