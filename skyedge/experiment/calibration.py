"""What is settled before the flight, on calibrate blocks: thresholds, temperatures, and how the miner flies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from skyedge.earth import CALIBRATE, Earth
from skyedge.earth.imagery import MID_MONTH_DAYS, MONTHS
from skyedge.earth.scenes import degrade
from skyedge.errors import InputError
from skyedge.experiment.fleet import Fleet
from skyedge.experiment.spec import Experiment
from skyedge.experiment.world import World, tile_folder
from skyedge.inference.budget import Budgeted
from skyedge.inference.cloud_filter import CloudFilter, cloud_score
from skyedge.inference.miners import Examples, Miner, Observation, build_miner, try_out
from skyedge.inference.scores import fit_temperature
from skyedge.inference.sweep import knob_of, set_to_share
from skyedge.learning.data import EarthSource, FolderSource, Pictures, Source
from skyedge.plugins import is_import_path
from skyedge.runtime.model_executor import ModelExecutor
from skyedge.time import day_of_year

CALIBRATION_PER_CLASS = 250
CALIBRATION_SEED = 400


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is settled on calibrate blocks, with the archive's pictures of the season of the run."""

    cloud_filter: CloudFilter
    temperature: dict[str, float]
    examples: dict[str, Examples]


def calibrate(experiment: Experiment, fleet: Fleet, world: World, view: str) -> Calibration:
    """Thresholds, temperatures and examples for miners; ``view`` is how hard scenes reach the ground."""
    day = float(day_of_year(world.start))
    month = MONTHS[int(np.abs(MID_MONTH_DAYS - day).argmin())]
    folder = tile_folder(experiment)
    earth = Earth.load()
    source = EarthSource(earth, world.camera) if folder is None else FolderSource(folder, earth, world.camera)
    pictures = _calibration_pictures(source, month)
    scores = cloud_score(fleet.cloud_filter.logits(pictures.tiles))
    cloudy = pictures.cloud_cover > experiment.imagery.clouds.cloudy_above
    clear = pictures.take(~cloudy)
    seen = degrade(clear.tiles, view)
    big = fleet.ground.logits(seen)
    small = {"flight": fleet.flight.logits(clear.tiles), "archive": fleet.archive.logits(clear.tiles)}
    temperature = {role: fit_temperature(logits, clear.label) for role, logits in small.items()}
    temperature["edge"] = fit_temperature(fleet.edge.logits(seen), clear.label)
    return Calibration(
        CloudFilter.for_clear_loss(scores, cloudy, experiment.pipeline.maximum_clear_loss),
        temperature,
        {role: Examples(logits, big, clear.label) for role, logits in small.items()},
    )


@lru_cache(maxsize=2)
def _calibration_pictures(source: Source, month: int) -> Pictures:
    """The pictures of a month, which the seeds of an experiment share."""
    return source.pictures(CALIBRATE, (month,), CALIBRATION_PER_CLASS, CALIBRATION_SEED, clear_only=False)


def checked_miner(experiment: Experiment) -> Miner:
    """The miner of an arm, not yet fitted.

    Raises:
        InputError: if there is no such miner, or it cannot do its work in this pipeline.
    """
    pipeline, where = experiment.pipeline, "pipeline.miner"
    miner = build_miner(pipeline.miner.name, pipeline.miner.parameters, where=where)
    if pipeline.mining_mode == "mining-then-inference" and miner.needs_logits:
        raise InputError(
            f"miner {pipeline.miner.name} needs the on-board model's answer, so it cannot mine before inference", where=where
        )
    if pipeline.unlimited_links and isinstance(miner, Budgeted):
        raise InputError("the budgeted miner shares out passes, and with unlimited_links there are none", where=where)
    if pipeline.miner.set_to_share is not None and not isinstance(miner, Budgeted):
        knob_of(miner)
    if is_import_path(pipeline.miner.name):
        try_out(miner, where=where)
    return miner


def settled_miner(experiment: Experiment, world: World, calibration: Calibration, executor: ModelExecutor) -> Miner | None:
    """The miner as it flies: fitted, and its knob set, on calibrate blocks; None where nothing is mined."""
    pipeline = experiment.pipeline
    if pipeline.mode != "collaborative":
        return None
    role, share = pipeline.on_board_model, pipeline.miner.set_to_share
    miner = checked_miner(experiment)
    if hasattr(miner, "fitted"):
        miner = miner.fitted(calibration.examples[role])
    if isinstance(miner, Budgeted):  # its knob is the share itself
        return miner if share is None else replace(miner, share_of_captures=share)
    if share is None:
        return miner
    # What the fleet itself sees over calibrate blocks, without its truth: those scenes are never scored.
    over = np.flatnonzero(world.scenes.split == CALIBRATE)
    seen = over
    if pipeline.cloud_filter == "network":
        seen = over[~calibration.cloud_filter.is_cloudy(cloud_score(executor.table("cloud_filter", "camera")[over]))]
    logits = executor.table(role, "camera")[seen] if miner.needs_logits else None
    return set_to_share(miner, Observation(seen.astype(np.int32), logits), len(over), share)
