"""`skyedge federate`: which cluster runs what, over a control plane's manifests.  Useful alone, to anyone with a Karmada."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import yaml

from skyedge.cli.federate_governance import governance_rows, refusal_words
from skyedge.cli.whole_files import write_all
from skyedge.errors import InputError
from skyedge.kube import FEDERATION, read_manifests
from skyedge.kube.documents import STANDARD_INPUT
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.explaining import Verdict, explain
from skyedge.layers.federation.governing import Governed, govern
from skyedge.layers.federation.leaving import leaving
from skyedge.layers.federation.placing import Placements
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.reading import read_federation
from skyedge.layers.federation.works import Work
from skyedge.resources import check_folder, find_all
from skyedge.time import SECOND, parse_utc

STRATEGIES = {
    Strategy.DUPLICATED: "all on each (Duplicated)",
    Strategy.STATIC_WEIGHT: "divided by static weights (staticWeightList)",
    Strategy.DYNAMIC_WEIGHT: "divided by room (dynamicWeight)",
    Strategy.AGGREGATED: "divided over few (Aggregated)",
}
"""What is said of each, with Karmada's word."""


def federate_command(
    files: Sequence[str],
    *,
    explain: bool,
    form: str,
    strict: bool,
    manifests_folder: Path | None,
    at: str | None,
    fail: Sequence[str],
    failover: str | None,
    planned: Mapping[str, Sequence[str]],
    seed: int | None,
) -> None:
    """Read manifests, place what they hold, and print who runs what; and what happens if clusters fail, or are moved.

    Args:
        planned: what ``--drain``, ``--upgrade`` and ``--leave`` ask for.

    Raises:
        InputError: for whatever is wrong with the files or the options; nothing is printed then.
        typer.Exit: with 1, if ``strict`` and a rule is broken or something runs nowhere, now or after a failure; all is
            printed then.
    """
    from skyedge.cli.federate_failover import DEFAULT_FAILOVER, failover_rows, read_failures
    from skyedge.cli.federate_moves import planned_rows, read_moves
    from skyedge.cli.federate_printing import print_result

    if list(files).count(STANDARD_INPUT) > 1:
        raise InputError("standard input can be read only once")
    if failover is not None and not fail:
        raise InputError("this is an option of --fail, and nothing fails", where="--failover")
    if seed is not None and not fail and not any(planned.values()):
        raise InputError("this is an option of --fail and of planned moves, and there are none", where="--seed")
    if fail and any(planned.values()):
        raise InputError("clusters fail or are moved as planned; both at once are not modelled", where="--fail")
    if manifests_folder is not None:
        check_folder(manifests_folder, where="--manifests")
    now_s = _at(at)
    manifests = read_manifests(find_all(files, kind="experiments", but=(STANDARD_INPUT,)), kinds=FEDERATION, strict=strict)
    if not manifests.by_type:
        raise InputError("there is no manifest for a federation in this", where=", ".join(files))
    reading = read_federation(manifests, now_s)
    if strict and reading.warnings:
        raise InputError(f"{reading.warnings[0]} (strict)")
    names = [cluster.name for cluster in reading.clusters]
    failures = read_failures(fail, names, now_s)
    moves = read_moves(planned, names, now_s)
    governed = govern(reading)
    warnings = [*manifests.warnings(), *reading.warnings]
    result = as_mapping(governed, warnings, explain=explain, now_s=now_s)
    if failures:
        answer, key = DEFAULT_FAILOVER if failover is None else failover, seed or 0
        result |= failover_rows(governed, failures, failover=answer, seed=key, now_s=now_s)
    if moves:
        result["timeline"] = planned_rows(governed, moves, seed=seed or 0, now_s=now_s)
    if manifests_folder is not None:
        write_manifests(governed.works, names, manifests_folder)
    print_result(result, form)
    lost = result.get("afterwards", {}).get("lost", 0)
    if strict and (governed.violations or result["not_placed"] or lost):
        raise typer.Exit(1)


def as_mapping(
    governed: Governed, warnings: Sequence[str], *, explain: bool = False, now_s: float | None = None
) -> dict[str, Any]:
    """All of a decision by name, in the order of kind, namespace and name: what ``-o json`` prints.

    ``placed`` says of each resource its policy, the affinity group that worked, how replicas are divided, and replicas by
    cluster (a list of clusters, if it has no replicas); ``not_placed`` why not; ``followers`` what goes along with whom.
    ``overcommitted`` says by cluster and resource how many times what is free all the workloads together ask for (None:
    nothing is free): each is placed by the room that there is for it alone.  ``leaving`` says who is driven out by a taint,
    and when.  ``manifests`` are those of each cluster.  ``why`` is there if it was asked for.  What governs the federation
    adds what it has to say: :func:`skyedge.cli.federate_governance.governance_rows`.
    """
    reading, placements = governed.reading, governed.placements
    placed, not_placed, why = [], [], {}
    for row, one in enumerate(reading.selected):
        workload, name = one.workload, title(one.read.resource)
        said: dict[str, Any] = {"resource": name, "policy": f"{one.policy.manifest.object.kind} {one.policy.name}"}
        if workload.replicas:
            said["replicas"] = workload.replicas
        if placements.placed[row]:
            share = placements.of(row)
            if group := placements.group_name(row):
                said["group"] = group
            said["how"] = STRATEGIES[workload.rules.strategy] if workload.replicas else "on each"
            placed.append(said | {"clusters": share if workload.replicas else list(share)})
        else:
            over = governed.refused.get(row)
            reason = placements.reason(row) if over is None else refusal_words(over, workload.scheduled)
            not_placed.append(said | {"reason": reason})
        if explain:
            why[name] = [as_row(verdict) for verdict in explained(placements, row)]
    not_placed += [
        {"resource": title(one.resource), "policy": "", "reason": "no policy selects it"}
        for one in reading.unselected
        if one.runs_pods
    ]
    followers = []
    for follower in reading.followers:
        clusters = sorted({cluster for row in follower.needed_by for cluster in placements.of(row)})
        needed_by = [title(reading.selected[row].read.resource) for row in follower.needed_by]
        followers.append({"resource": title(follower.read.resource), "needed_by": needed_by, "clusters": clusters})
    by_cluster: dict[str, list[dict[str, Any]]] = {}
    for work in governed.works:
        by_cluster.setdefault(work.cluster, []).append(work.manifest)
    stuck = {(one.row, one.cluster) for one in governed.stuck}
    return {
        "summary": {
            "clusters": len(reading.clusters),
            "placed": len(placed),
            "not_placed": len(not_placed),
            "replicas": int(placements.replicas.sum()),
            "manifests": len(governed.works),
        },
        "placed": placed,
        "not_placed": not_placed,
        "followers": followers,
        "unselected": [title(one.resource) for one in reading.unselected],
        "overcommitted": {
            cluster: {name: factor if math.isfinite(factor) else None for name, factor in times.items()}
            for cluster, times in placements.overcommitted().items()
        },
        "leaving": [
            {"resource": title(reading.selected[one.workload].read.resource), "cluster": one.cluster, "after_s": one.after_s}
            for one in leaving(reading.clusters, reading.workloads, now_s)
            if (one.workload, one.cluster) not in stuck
        ],
        **governance_rows(governed),
        **({"why": why} if explain else {}),
        "overridden": [
            {"cluster": work.cluster, "resource": title(work.resource), "by": list(work.overridden_by)}
            for work in governed.works
            if work.overridden_by
        ],
        "manifests": by_cluster,
        "warnings": list(warnings),
    }


def title(resource: Resource) -> str:
    """``Deployment ground/big-model``."""
    return f"{resource.kind} {f'{resource.namespace}/' if resource.namespace else ''}{resource.name}"


def explained(placements: Placements, row: int) -> Sequence[Verdict]:
    """What became of each cluster by the affinity group that worked, or else by the last that was tried."""
    group = int(placements.group[row])
    return explain(placements.batch, row, group if group >= 0 else int(placements.batch.groups[row]) - 1)


def as_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict by name: of a candidate its figures, of another the filter that turned it away."""
    if verdict.turned_away:
        return {"cluster": verdict.cluster, "turned_away_by": verdict.turned_away, "because": verdict.because}
    if verdict.room is None:  # it has no replicas to divide
        return {"cluster": verdict.cluster, "holds_it": "yes" if verdict.chosen else "no", "score": verdict.marks}
    said = {"cluster": verdict.cluster, "replicas": verdict.replicas, "score": verdict.marks, "room": verdict.room}
    if verdict.running:
        said["running"] = verdict.running
    return said | ({"tier": verdict.tier} if verdict.tier else {})


def write_manifests(works: Sequence[Work], clusters: Iterable[str], folder: Path) -> None:
    """Write a file of manifests for each cluster; either all of them are there in the end, or what was there before.

    A cluster that is told nothing has no file, or an empty one where it was told something before.

    Raises:
        InputError: if one cannot be written.
    """
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    by_cluster: dict[str, list[dict[str, Any]]] = {}
    for work in works:
        by_cluster.setdefault(work.cluster, []).append(work.manifest)
    texts = {
        name: yaml.dump_all(manifests, Dumper=dumper, sort_keys=False, allow_unicode=True)
        for name, manifests in by_cluster.items()
    }
    told_before = {name: "" for name in clusters if name not in texts and (folder / f"{name}.yaml").exists()}
    folder.mkdir(parents=True, exist_ok=True)
    write_all({folder / f"{name}.yaml": text.encode() for name, text in (texts | told_before).items()})


def _at(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_utc(text) / SECOND
    except InputError as error:
        raise InputError(error.message, where="--at") from None
