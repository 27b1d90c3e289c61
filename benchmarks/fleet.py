"""A day of 1,584 satellites over 20 stations, end to end and without models: seconds and memory of one process.

    python benchmarks/fleet.py

Contacts, plan, power, queues, passes, backhaul, cloud and ledger are those of an experiment: its sky, its assembly (the
bent-pipe arm) and its engine.  Only the scenes are made up, a strip of ten each half orbit over the sunlit side of each
satellite's orbit, and the cloud's model answers every picture with the same row.

Exits with 1 if it takes 60 s or 4 GB or more, or if the ledger does not balance.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import psutil

from skyedge.earth.scenes import SceneTable
from skyedge.experiment.assembly import assemble
from skyedge.experiment.calibration import Calibration
from skyedge.experiment.fleet import Fleet
from skyedge.experiment.loading import load_experiment, resolve_arm
from skyedge.experiment.run import run_engine
from skyedge.experiment.world import World, make_sky
from skyedge.runtime.model_executor import PredictionTables
from skyedge.time import MINUTE, SECOND

ARM = "bent-pipe"
STRIP_EVERY = 47 * MINUTE
FRAME = 43 * SECOND  # 300 km of ground
STRIP_SCENES = 10
CLASSES = 10


@dataclass(frozen=True)
class Work:
    """What the assembly asks of a model that never runs."""

    multiply_accumulates: int = 1_000_000


def made_up_scenes(world: World) -> SceneTable:
    """Strips of ten scenes of each satellite, those that fall into sunlight."""
    satellites = len(world.constellation)
    # Each satellite begins elsewhere in its half orbit.
    offset = np.arange(satellites, dtype=np.int64) * 997 * SECOND % STRIP_EVERY
    strips = np.arange((world.end - world.start) // STRIP_EVERY - 1, dtype=np.int64) * STRIP_EVERY
    frames = np.arange(STRIP_SCENES, dtype=np.int64) * FRAME
    at = world.start + offset[:, None, None] + strips[None, :, None] + frames
    which = np.broadcast_to(np.arange(satellites)[:, None, None], at.shape)
    sample = (at - world.start) // int(world.sunlight_times_us[1] - world.sunlight_times_us[0])
    lit = world.sunlit_s[which, sample + 1] > world.sunlit_s[which, sample]
    at, which = at[lit], which[lit]
    order = np.lexsort((which, at))
    columns = {name: np.zeros(len(at), column.dtype) for name, column in SceneTable.empty().columns().items()}
    columns["captured_at"], columns["satellite"] = at[order], which[order].astype(columns["satellite"].dtype)
    return SceneTable(**columns)


def main() -> None:
    marks: list[tuple[str, float]] = []

    def mark(stage: str) -> None:
        marks.append((stage, time.process_time()))

    experiment = resolve_arm(
        load_experiment(
            "tiansuan",
            [
                "space.constellation=constellations/walker-1584.yaml",
                "space.sites=sites/world-20.csv",
                "time.duration=24h",
                "time.departure_spread_days=0",
                "runtime.hosting=in-process",
            ],
        ),
        ARM,
    )
    mark("imports")
    sky = make_sky(experiment, seed=0)
    mark("sky")
    world = replace(sky, scenes=made_up_scenes(sky))
    mark("scenes")
    role, view = experiment.pipeline.on_board_model, experiment.pipeline.scene_view
    executor = PredictionTables({("ground", view): np.zeros((len(world.scenes), CLASSES), np.float32)})
    calibration = Calibration(None, {role: 1.0, "edge": 1.0}, {})
    assembly = assemble(experiment, world, Fleet(*(Work(),) * 5), calibration, executor)
    mark("assembly")
    outcome = run_engine(experiment, assembly, executor, name="fleet")
    mark("engine")
    outcome.ledger.check_balance()
    mark("ledger")

    # Of the whole process, the imports too.
    wall_s, cpu_s = time.time() - psutil.Process().create_time(), time.process_time()
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    days_s = (world.end - world.start) / SECOND
    print(f"{len(world.constellation)} satellites, {len(world.sites)} sites, {len(world.scenes)} scenes")
    print(f"{len(world.plan)} sessions, {outcome.events} events, {len(outcome.records)} records")
    for state in ("offered", "delivered", "waiting", "expired", "lost", "retransmitted"):
        print(f"downlink {state:<14}{outcome.ledger.total_bytes(state, segment='downlink') / 1e9:12.1f} GB")
    print(f"terrestrial delivered {outcome.ledger.total_bytes('delivered', segment='terrestrial') / 1e9:9.1f} GB")
    answers = sum(len(columns["scene"]) for _, table, columns in outcome.records if table == "answers")
    print(f"answers {answers}")
    before = 0.0
    for stage, at in marks:
        print(f"{stage:<10}{at - before:8.2f} CPU s")
        before = at
    print(f"wall {wall_s:.1f} s, CPU {cpu_s:.1f} s, peak memory {peak_gb:.2f} GB")
    print(f"{len(world.constellation) * days_s / cpu_s / 1e6:.1f} million satellite-seconds a CPU second")
    met = wall_s < 60 and peak_gb < 4
    print(f"{'met    ' if met else 'MISSED '} under 60 s and 4 GB")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
