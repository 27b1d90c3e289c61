"""Running an experiment: every (arm, seed) is a job; what a seed's arms share is made once and kept.

A job can run anywhere: it is a function of the experiment, an arm and a seed.  In a worker's memory the world of the
last seed is kept, so the arms of a seed render their scenes once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from skyedge import __version__
from skyedge.earth.scenes import SceneTable
from skyedge.experiment.assembly import Assembly, assemble
from skyedge.experiment.calibration import Calibration, calibrate
from skyedge.experiment.fleet import Fleet, load_fleet
from skyedge.experiment.loading import canonical, digest, resolve_arm
from skyedge.experiment.records import RunRecord, record_of
from skyedge.experiment.spec import Experiment
from skyedge.experiment.world import World, make_world
from skyedge.runtime.engine import Engine, EngineOutcome, LocalHost
from skyedge.runtime.model_executor import ModelExecutor
from skyedge.runtime.run_pool import Job, run_here, run_on_ray


@dataclass(eq=False)
class Prepared:
    """What the arms of one seed share."""

    world: World
    fleet: Fleet
    executor: ModelExecutor
    calibrations: dict[str, Calibration]
    seconds: dict[str, float]


_KEPT: dict[str, Prepared] = {}


def world_digest(experiment: Experiment, seed: int) -> str:
    """Identifies what a seed's arms share: all that is not the pipeline."""
    content = canonical(experiment)
    shared = {key: content[key] for key in ("time", "space", "imagery", "inputs")}
    outages = [fault for fault in content["faults"] if fault["kind"] == "station-outage"]
    antennas = content["layers"].get("antennas")
    return digest([shared, outages, seed, *([antennas] if antennas else [])])


def run_digest(experiment: Experiment, arm: str, seed: int) -> str:
    """Identifies a run: two runs with one digest give the same record."""
    content = canonical(resolve_arm(experiment, arm))
    for key in ("arms", "seeds", "claims", "baselines", "metadata"):
        del content[key]
    return digest([__version__, content, seed])


def prepare(experiment: Experiment, seed: int, cache: Path | None) -> Prepared:
    """The world, models and executor of a seed, from memory if it was the last one."""
    key = world_digest(experiment, seed)
    if key not in _KEPT:
        _KEPT.clear()
        began = time.process_time()
        world = make_world(experiment, seed)
        rendered = time.process_time()
        fleet = load_fleet(experiment, seed, world.camera.thumbnail_px)
        executor = ModelExecutor(fleet.by_name(), world.view, world.pictures_digest(), cache)
        _KEPT[key] = Prepared(world, fleet, executor, {}, {"render": rendered - began})
    return _KEPT[key]


def assemble_arm(experiment: Experiment, arm: str, seed: int, cache: Path | None) -> tuple[Prepared, Assembly]:
    """Everything that an arm needs, ready to run."""
    resolved = resolve_arm(experiment, arm)
    prepared = prepare(resolved, seed, cache)
    view = resolved.pipeline.scene_view
    key = digest([view, resolved.pipeline.maximum_clear_loss])
    if key not in prepared.calibrations:
        prepared.calibrations[key] = calibrate(resolved, prepared.fleet, prepared.world, view)
    calibration = prepared.calibrations[key]
    return prepared, assemble(resolved, prepared.world, prepared.fleet, calibration, prepared.executor)


def run_arm(
    experiment: Experiment, arm: str, seed: int, cache: Path | None, ray: Any = None
) -> tuple[RunRecord, SceneTable]:
    """Run one arm with one seed.  With ``ray`` and more than one host the hosts are actors."""
    prepared, assembly = assemble_arm(experiment, arm, seed, cache)
    models_before = prepared.executor.seconds
    began = time.process_time()
    outcome = run_engine(experiment, assembly, prepared.executor, name=f"{arm}-{seed}", ray=ray)
    models = prepared.executor.seconds - models_before
    effort = {
        "engine_s": time.process_time() - began - models,
        "models_s": models,
        "render_s": prepared.seconds["render"],
    }
    record = record_of(arm, seed, run_digest(experiment, arm, seed), prepared.world.start, outcome, effort)
    return record, prepared.world.scenes


def run_engine(
    experiment: Experiment,
    assembly: Assembly,
    executor: ModelExecutor,
    *,
    name: str,
    ray: Any = None,
    on_window: Callable[[int], None] | None = None,
) -> EngineOutcome:
    """Run an assembled arm on hosts in this process or, with ``ray``, in actors."""
    runtime = experiment.runtime
    host_of = assembly.host_of(runtime.hosting, runtime.hosts)
    hosts = max(host_of.values()) + 1
    common: dict[str, Any] = {"checkpoint_every_windows": runtime.checkpoint_every_windows, "on_window": on_window}
    if ray is None or hosts == 1:
        local = [LocalHost(build) for build in assembly.builders(host_of, executor)]
        return Engine(local, host_of, assembly.channels, assembly.end, **{**common, "checkpoint_every_windows": 0}).run()
    from skyedge.runtime.ray_hosts import RayHost

    # The hosts get filled tables and no models, so that no actor pays for torch.
    fill_tables(assembly, executor)
    names = list(host_of) if runtime.hosting == "per-node" else [f"host-{number}" for number in range(hosts)]
    actors: list[RayHost] = []
    try:
        for number, build in enumerate(assembly.builders(host_of, executor.frozen())):
            actors.append(RayHost(ray, f"{name}-{uuid4().hex[:8]}/{names[number]}", build, place=number))
        return Engine(actors, host_of, assembly.channels, assembly.end, **common).run()
    finally:
        for actor in actors:
            actor.stop()


def fill_tables(assembly: Assembly, executor: ModelExecutor) -> None:
    """Run every model that a node of this arm may ask for."""
    for satellite in assembly.satellites:
        for network in (satellite.cloud_network, satellite.model):
            if network is not None:
                executor.table(network.model, "camera")
    for server in (*assembly.edge_servers.values(), assembly.cloud_server):
        executor.table(server.service.model, server.service.view)


def run_experiment(
    experiment: Experiment, folder: Path, *, resume: bool, ray: Any = None, workers: int = 1
) -> Generator[tuple[RunRecord, SceneTable | None], None, None]:
    """Run all arms with all seeds; pairs of record and scenes as they finish, records kept in ``folder``.

    ``resume`` takes the records of an earlier, stopped run instead of running them again (their scenes come as None).
    """
    jobs = []
    cache = (folder / "cache").resolve()
    cache.mkdir(parents=True, exist_ok=True)
    for seed in experiment.seeds:
        for arm in experiment.arms:
            path = record_path(experiment, folder, arm, seed)
            if resume and path.exists():
                yield RunRecord.load(path), None
            else:
                jobs.append(Job(seed, (experiment, arm, seed, cache), f"arm {arm}, seed {seed}"))
    # Hosts in actors of their own leave the engine here; whole runs are spread over workers.
    spread = ray is not None and experiment.runtime.hosting == "grouped" and experiment.runtime.hosts == 1
    if spread:
        results = run_on_ray(ray, run_arm_anywhere, jobs, workers)
    else:
        results = run_here(run_arm, [Job(job.group, (*job.arguments, ray), job.name) for job in jobs])
    with closing(results):
        for _, (record, scenes) in results:
            record.save(record_path(experiment, folder, record.arm, record.seed))
            yield record, scenes


def run_arm_anywhere(experiment: Experiment, arm: str, seed: int, cache: Path) -> tuple[RunRecord, SceneTable]:
    """:func:`run_arm` on a machine that may not share the driver's files: there it does without the cache, which
    saves time and decides nothing."""
    return run_arm(experiment, arm, seed, cache if os.access(cache, os.W_OK) else None)


def record_path(experiment: Experiment, folder: Path, arm: str, seed: int) -> Path:
    """Where the record of a run is kept."""
    return folder / "records" / f"{run_digest(experiment, arm, seed)}.npz"
