"""What can be told before the flight is told before it: every arm is looked at before anything is run or written."""

from __future__ import annotations

import numpy as np

from skyedge.earth.imagery import months_at
from skyedge.earth.scenes import product_bytes
from skyedge.errors import InputError
from skyedge.experiment.calibration import checked_miner
from skyedge.experiment.federated_ground import check_federated
from skyedge.experiment.fleet import load_fleet, read_device
from skyedge.experiment.inputs import DEVICE_KEYS
from skyedge.experiment.loading import resolve_arm
from skyedge.experiment.spec import Experiment
from skyedge.experiment.world import CLOUD, World, flight_of, make_sky
from skyedge.time import DAY, parse_duration

MOST_REPLICAS = 10


def check_experiment(experiment: Experiment) -> World:
    """Say what is wrong with any arm before anything is run or written; returns the sky of the first seed.

    Raises:
        InputError: for whatever can be told without flying.
    """
    first, skies, fleets = experiment.seeds[0], dict[str, World](), set[str]()
    for name in experiment.arms:
        arm = resolve_arm(experiment, name)
        sky = repr((arm.time, arm.space, arm.imagery, arm.faults))
        if sky not in skies:
            skies[sky] = make_sky(arm, first)
            if arm.imagery.folder is None:
                for seed in experiment.seeds:
                    start, end = flight_of(arm, seed)
                    months_at(np.arange(start, end, DAY), accept_blend=arm.imagery.accept_blend)
        camera = skies[sky].camera
        key = repr((arm.models, arm.imagery, camera.thumbnail_px))
        if key not in fleets:
            # A model with several replicas has another file for the next seed.
            for seed in experiment.seeds[:MOST_REPLICAS]:
                load_fleet(arm, seed, camera.thumbnail_px)
            fleets.add(key)
        for device in DEVICE_KEYS:
            read_device(getattr(arm.models, device))
        product_bytes(camera, arm.pipeline.scene_view)
        if parse_duration(arm.pipeline.deadline) >= parse_duration(arm.time.duration):
            raise InputError(
                f"no deadline of {arm.pipeline.deadline} ends within a run of {arm.time.duration}: nothing could be scored",
                where=f"arm {name}: pipeline.deadline",
            )
        if arm.pipeline.mode == "collaborative":
            checked_miner(arm)
        _check_layers(arm, skies[sky])
    return next(iter(skies.values()))


def _check_layers(arm: Experiment, sky: World) -> None:
    elastic, scheduler = arm.layers.elastic, arm.layers.scheduler
    stations = sky.sites.names
    if arm.layers.federation is not None:
        check_federated(arm, sky)
    elif arm.layers.mesh is not None:
        raise InputError("a mesh needs clusters to choose from: say them in layers.federation", where="layers.mesh")
    if scheduler is not None:
        scheduler.check(stations if arm.pipeline.edge_node else ())
    if elastic is not None:
        elastic.autoscaler.check()
        if scheduler is not None and CLOUD in scheduler.sites():
            raise InputError("the cloud pool is either elastic or scheduled, and here it is both", where="layers")
    decided = elastic is not None or (scheduler is not None and CLOUD in scheduler.sites())
    if decided and arm.cloud.replicas != 1:
        raise InputError("the layer of the cloud pool says how much of it there is: leave this out", where="cloud.replicas")
