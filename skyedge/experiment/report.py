"""The report: one self-contained HTML file that a reader can keep, mail and print.

Figures are of all seeds where they have intervals; maps, timelines and the gallery show the first seed.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skyedge.earth import CLIMATE_ZONES
from skyedge.experiment import figures
from skyedge.experiment.loading import as_yaml, resolve_arm
from skyedge.experiment.metrics import worth_answering
from skyedge.experiment.outcome import Outcome, by_worth, columns_of, written
from skyedge.experiment.page import claim_item, write_page
from skyedge.experiment.records import TIERS, RunRecord
from skyedge.experiment.spec import Experiment
from skyedge.experiment.world import World
from skyedge.runtime.model_executor import ModelExecutor
from skyedge.time import FOREVER, SECOND, format_utc, parse_duration
from skyedge.wording import counted

GALLERY_SCENES = 24
FRUGAL = 0.9
"""Share of the bent pipe's bytes that an arm must save to stand among the large figures: the bar of the field's claim."""


def write_report(
    path: Path,
    *,
    experiment: Experiment,
    outcome: Outcome,
    world: World,
    records: Mapping[str, RunRecord],
    executor: ModelExecutor,
) -> None:
    """Write the report to ``path``, whole or not at all."""
    deadlines = {arm: parse_duration(resolve_arm(experiment, arm).pipeline.deadline) for arm in records}
    seed = outcome.seeds[0]
    parts = [
        f"<h1>{html.escape(experiment.metadata.name)}</h1><p>{html.escape(experiment.metadata.description)}</p>",
        f"<p class=note>{counted(len(outcome.seeds), 'seed(s)')}; first seed flies {format_utc(world.start, 'seconds')} to "
        f"{format_utc(world.end, 'seconds')}; {len(world.scenes):,} captures; spec {outcome.digest}"
        f"{'; stopped before the end' if outcome.stopped else ''}</p>",
        _tiles(experiment, outcome),
        "<h2>Claims</h2>" + _claims(outcome),
        "<h2>Arms</h2><div class=scroll>" + _table(outcome) + "</div>",
        "<p class=note>Mean and half the width of a 95 % interval from a bootstrap over seeds and 10° blocks. "
        "Accuracy counts a scene that was not answered in time as wrong. Places differ more than arms do, so intervals of "
        f"single arms overlap; gains are paired. {_test_note(outcome)}</p>",
        "<h2>Accuracy against bytes</h2>" + figures.pareto(outcome, experiment.baselines.bent_pipe) + _equal_bytes(outcome),
        "<h2>Where the fleet flew</h2>",
        f"<img class=map alt='ground tracks, captures and stations' src='{figures.world_map(world)}'>",
        f"<p class=note>Tracks of the first day, captures of the whole run, seed {seed}.</p>",
        "<h2>Passes</h2>" + figures.pass_timeline(world.plan, world.start),
        "<p class=note>The first three days. The height of a bar is the yield of the pass.</p>",
        "<h2>Queue and battery</h2>" + figures.gauges(records, world, "queue_bytes", "GB waiting a satellite", 1e-9),
        figures.gauges(records, world, "charge", "battery charge, %", 100.0),
        "<h2>From capture to answer</h2>" + figures.latencies(records, world, deadlines),
        *_pools(records),
        *_federation(records),
        "<h2>By climate zone</h2>" + figures.zones(outcome),
        "<h2>By class</h2>" + figures.confusions(records, world, deadlines),
        "<h2>Gallery</h2>" + _gallery(experiment, world, records, executor, deadlines),
        f"<details><summary>The whole experiment</summary><pre>{html.escape(as_yaml(experiment))}</pre></details>",
    ]
    write_page(path, experiment.metadata.name, parts)


def _pools(records: Mapping[str, RunRecord]) -> list[str]:
    drawn = figures.pool_waits(records)
    return ["<h2>From the pool to the answer</h2>" + drawn] if drawn else []


def _federation(records: Mapping[str, RunRecord]) -> list[str]:
    drawn = figures.cluster_shares(records)
    if not drawn:
        return []
    rows = [(arm, row) for arm, record in records.items() for row in record.federation.get("failovers", ())]
    items = [f"<li>{html.escape(arm)}: {html.escape(_failover(row))}</li>" for arm, row in rows]
    return ["<h2>Which cluster looked at the pictures</h2>" + drawn, f"<ul>{''.join(items)}</ul>" if items else ""]


def _failover(row: Mapping[str, Any]) -> str:
    """A failover in a sentence."""
    declared_s, serving_s = ((row[name] - row["out_at"]) / SECOND for name in ("declared_at", "serving_at"))
    seen = f"{row['cluster']} was out, and declared so after {declared_s:.1f} s"
    if not row["moved_to"]:
        return f"{seen}; nothing was moved"
    moved = f"{seen}; what it ran went to {', '.join(row['moved_to'])}"
    return (
        f"{moved} and served there after {serving_s:.0f} s" if row["serving_at"] < FOREVER else f"{moved}, and never served"
    )


def _claims(outcome: Outcome) -> str:
    items = [claim_item(claim.verdict, claim.name, claim.lines()) for claim in outcome.claims]
    return f"<ul>{''.join(items)}</ul>" if items else "<p>This experiment makes no claim.</p>"


def _tiles(experiment: Experiment, outcome: Outcome) -> str:
    """What a reader should take home, in a few large figures: the baselines, and the best that sends a tenth."""
    roles = experiment.baselines
    words = {
        roles.in_orbit: "right in orbit alone",
        roles.in_orbit_archive: "right in orbit, with the ground's archive",
        roles.bent_pipe: "right on the ground, everything sent",
    }
    tiles = [
        (text, written(outcome.arms[arm]["accuracy"], "percent"), arm) for arm, text in words.items() if arm in outcome.arms
    ]
    frugal = [arm for arm in outcome.arms if _sends_a_tenth(experiment, outcome, arm)]
    if frugal:
        best = max(frugal, key=lambda arm: outcome.arms[arm]["accuracy"].mean)
        saved = written(outcome.arms[best]["downlink_reduction"], "saved")
        tiles.append((f"right together, {saved} less sent", written(outcome.arms[best]["accuracy"], "percent"), best))
    cards = (
        f"<div>{html.escape(text)}<b>{figure}</b><span class=note>{html.escape(arm)}</span></div>"
        for text, figure, arm in tiles
    )
    return f"<div class=tiles>{''.join(cards)}</div>"


def _sends_a_tenth(experiment: Experiment, outcome: Outcome, arm: str) -> bool:
    """Does the arm let the two models of the experiment's own pipeline work together within a tenth of the bytes?"""
    pipeline = resolve_arm(experiment, arm).pipeline
    same = pipeline.mode == "collaborative" and pipeline.on_board_model == experiment.pipeline.on_board_model
    saved = outcome.arms[arm].get("downlink_reduction")
    return same and not arm.startswith("oracle") and saved is not None and saved.mean >= FRUGAL


def _table(outcome: Outcome) -> str:
    columns = columns_of(outcome.arms, outcome.baseline)
    head = "".join(f"<th>{html.escape(heading)}</th>" for _, heading, _ in columns)
    rows = []
    for arm, table in outcome.arms.items():
        cells = "".join(f"<td>{written(table.get(metric), style)}</td>" for metric, _, style in columns)
        test = outcome.tests.get(arm)
        verdict = "–" if test is None else f"{test.difference_points:+.1f}"
        if test is not None and test.p_holm is not None:
            verdict += f", p {test.p_holm:.3f}, {test.verdict}"
        rows.append(f"<tr><td>{html.escape(arm)}</td>{cells}<td>{html.escape(verdict)}</td></tr>")
    return f"<table><tr><th>arm</th>{head}<th>points gained</th></tr>{''.join(rows)}</table>"


def _test_note(outcome: Outcome) -> str:
    untested = next((test.verdict for test in outcome.tests.values() if test.p is None), None)
    if untested is None:
        return "p: exact paired permutation over the seeds, corrected by Holm."
    return f"Whether a difference is real was {html.escape(untested)}."


def _equal_bytes(outcome: Outcome) -> str:
    if len(outcome.equal_bytes) < 2:
        return ""
    rows = "".join(
        f"<tr><td>{html.escape(miner)}</td><td>{written(table['accuracy'], 'percent')}</td>"
        f"<td>{written(table['accuracy_gain'], 'percent')}</td></tr>"
        for miner, table in by_worth(outcome.equal_bytes)
    )
    return (
        "<h2>Miners at equal bytes</h2><p class=note>At a tenth of the bytes of the compressed bent pipe, between the arms "
        "of each miner.</p><table><tr><th>miner</th><th>accuracy</th>"
        f"<th>gain over {html.escape(outcome.baseline)}</th></tr>{rows}</table>"
    )


def _gallery(
    experiment: Experiment,
    world: World,
    records: Mapping[str, RunRecord],
    executor: ModelExecutor,
    deadlines: Mapping[str, int],
) -> str:
    """Scenes that were sent, with what each model said and why."""
    arm = next((name for name in records if resolve_arm(experiment, name).pipeline.mode == "collaborative"), None)
    if arm is None:
        return "<p>No arm sends single scenes.</p>"
    pipeline = resolve_arm(experiment, arm).pipeline
    fates = records[arm].fates
    scored = worth_answering(world.scenes, max(deadlines.values()), world.end)
    sent = fates["scene"][np.isin(fates["fate"], ["delivered", "waiting", "expired"])]
    chosen = sent[scored[sent]]
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(GALLERY_SCENES, len(chosen))).astype(int)] if len(chosen) else chosen
    small = executor.table(pipeline.on_board_model, "camera")
    big = executor.table("ground", pipeline.scene_view)
    answers = records[arm].answers
    from_ground = set(answers["scene"][answers["tier"] == TIERS.index("ground")].tolist())
    classes = [html.escape(name) for name in world.classes]
    cards = []
    for scene in chosen.tolist():
        row = world.scenes
        truth, said, ground = int(row.label[scene]), int(small[scene].argmax()), int(big[scene].argmax())
        spread = np.exp(small[scene] - small[scene].max())
        sure = float(spread.max() / spread.sum())
        reason = f"{sure:.0%} sure in orbit; sent by {pipeline.miner.name}"
        marks = ["✓" if answer == truth else "✗" for answer in (said, ground)]
        arrived = f"{classes[ground]} {marks[1]}" if scene in from_ground else "did not arrive in time"
        cards.append(
            f"<div><img alt='scene {scene}' src='{figures.data_uri(world.pictures[scene])}'>"
            f"<b>{classes[truth]}</b>, {CLIMATE_ZONES[row.climate[scene]]}<br>small: {classes[said]} {marks[0]}<br>"
            f"big: {arrived}<br><span class=note>{html.escape(reason)}</span></div>"
        )
    note = f"<p class=note>Arm {html.escape(arm)}, first seed. Bold: the truth. Evenly chosen from the scenes sent.</p>"
    return f"{note}<div class=gallery>{''.join(cards)}</div>"
