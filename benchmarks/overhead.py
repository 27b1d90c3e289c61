"""What the laboratory itself costs: CPU time a scene from capture to metric, with pictures and predictions at hand.

python benchmarks/overhead.py [DURATION]     (21d if not given; exit status 1 if a bar is missed)

Bars: 0.25 ms a scene in each arm of the Tiansuan experiment; no more than 3,000 engine windows for a day of its world
cut over two hosts.  What is done once a seed (rendering, models, calibration), once an experiment (MLflow) and once a
command (start-up) is printed apart.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from skyedge.experiment.loading import load_experiment, resolve_arm
from skyedge.experiment.metrics import RunMetrics, measure
from skyedge.experiment.outcome import conclude
from skyedge.experiment.records import record_of
from skyedge.experiment.run import assemble_arm, fill_tables, prepare, run_arm, run_engine
from skyedge.experiment.spec import Experiment
from skyedge.experiment.tracking import log_outcome, open_client, store_uri
from skyedge.time import parse_duration

BAR_MS_A_SCENE = 0.25
BAR_WINDOWS_A_DAY = 3000
SEED = 0


def cost_of_arm(experiment: Experiment, arm: str) -> tuple[float, float, RunMetrics]:
    """(seconds to wire the arm, seconds from its first capture to its metrics, the metrics)."""
    resolved = resolve_arm(experiment, arm)
    began = time.process_time()
    prepared, assembly = assemble_arm(experiment, arm, SEED, None)
    fill_tables(assembly, prepared.executor)
    wired = time.process_time()
    outcome = run_engine(experiment, assembly, prepared.executor, name=arm)
    record = record_of(arm, SEED, "", prepared.world.start, outcome, {})
    metrics = measure(record, prepared.world.scenes, parse_duration(resolved.pipeline.deadline), prepared.world.end)
    return wired - began, time.process_time() - wired, metrics


def mlflow_seconds(experiment: Experiment, metrics: dict[str, RunMetrics]) -> tuple[float, float]:
    """Seconds to make a new store, and to log the experiment into it."""
    outcome = conclude(experiment, {arm: [run] for arm, run in metrics.items()})
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        client = open_client(store_uri(Path(folder)))
        opened = time.perf_counter()
        log_outcome(client, experiment, outcome, {arm: [run] for arm, run in metrics.items()}, [], Path(folder))
        return opened - began, time.perf_counter() - opened


def start_up_seconds() -> float:
    """Seconds until the run command's modules are there, torch among them."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import skyedge.cli.run, skyedge.learning.zoo"], check=True)
    return time.perf_counter() - began


def windows_of_a_day() -> int:
    """Engine windows of one day of the Tiansuan world on two hosts."""
    overrides = ["time.duration=1d", "pipeline.deadline=12h", "runtime.hosts=2"]
    record, _ = run_arm(load_experiment("tiansuan", overrides, seeds=str(SEED)), "collaborative", SEED, None)
    return int(record.effort["windows"])


def main() -> int:
    duration = sys.argv[1] if len(sys.argv) > 1 else "21d"
    experiment = load_experiment("tiansuan", [f"time.duration={duration}"], seeds=str(SEED))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; times are CPU times unless they say wall")
    prepared = prepare(experiment, SEED, None)
    scenes = len(prepared.world.scenes)
    render_s = prepared.seconds["render"]
    wiring_s = dict.fromkeys(experiment.arms, 0.0)
    for arm in experiment.arms:  # once, so that every table is filled
        wiring_s[arm], _, _ = cost_of_arm(experiment, arm)
    models_s = prepared.executor.seconds
    calibration_s = sum(wiring_s.values()) - models_s
    print(f"{duration}, {scenes} scenes")
    print(f"  orbits, captures and rendering {render_s:7.2f} s  {1e3 * render_s / scenes:.3f} ms a scene")
    print(f"  models                         {models_s:7.2f} s  {1e3 * models_s / scenes:.3f} ms a scene")
    print(f"  calibration and wiring         {calibration_s:7.2f} s  for {len(experiment.arms)} arms")
    metrics: dict[str, RunMetrics] = {}
    worst_ms = 0.0
    for arm in experiment.arms:
        _, seconds, metrics[arm] = cost_of_arm(experiment, arm)
        worst_ms = max(worst_ms, 1e3 * seconds / scenes)
        print(f"  {arm:<30} {seconds:7.2f} s  {1e3 * seconds / scenes:.3f} ms a scene")
    opened_s, logged_s = mlflow_seconds(experiment, metrics)
    print(f"  MLflow: a new store {opened_s:.1f} s, logging {1 + len(metrics)} runs {logged_s:.2f} s (wall)")
    print(f"  start-up of the command {start_up_seconds():.1f} s (wall)")
    windows = windows_of_a_day()
    print(f"  windows of a day on two hosts  {windows}")
    met = worst_ms <= BAR_MS_A_SCENE and windows <= BAR_WINDOWS_A_DAY
    figures = f"{worst_ms:.3f} of {BAR_MS_A_SCENE} ms a scene, {windows} of {BAR_WINDOWS_A_DAY} windows"
    print(f"bars: {figures}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
