"""The commands' options and help.  What they do is in the modules that they import when called."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Hosting(StrEnum):
    """Where the nodes of a run live."""

    in_process = "in-process"
    grouped = "grouped"
    per_node = "per-node"


class Format(StrEnum):
    """How passes are printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Printed(StrEnum):
    """How a decision is printed."""

    table = "table"
    json = "json"
    yaml = "yaml"


ExperimentFile = Annotated[str, typer.Argument(help="An experiment file, or its name in experiments/.", metavar="FILE")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override a key, as a.b=value.", metavar="KEY=VALUE")]
Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder for reports, records and the MLflow store.")]
DEFAULT_FOLDER = Path("runs")


def run(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    seeds: Annotated[str | None, typer.Option(help="For example 0-4 or 0,3.")] = None,
    arms: Annotated[str | None, typer.Option(help="Arms to run, separated by commas.")] = None,
    hosting: Annotated[Hosting | None, typer.Option(help="in-process needs no Ray.")] = None,
    hosts: Annotated[int | None, typer.Option(min=1, max=64, help="Hosts a run is cut into.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at once.")] = None,
    address: Annotated[str | None, typer.Option(help="An existing Ray cluster, as HOST:PORT.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the final table for other programs.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    output: Folder = DEFAULT_FOLDER,
) -> None:
    """Run an experiment or a study: fly the fleet, compare the arms, test the claims, log to MLflow, write the report."""
    from skyedge.experiment.study_loading import is_study

    # How it is carried out may be said in the file too, so these options are short for overrides.
    how = {"hosting": hosting.value if hosting else None, "hosts": hosts, "workers": workers}
    settings = [*(overrides or []), *(f"runtime.{key}={value}" for key, value in how.items() if value is not None)]
    chosen = [name.strip() for name in arms.split(",")] if arms else []
    common: dict[str, Any] = {"address": address, "json_path": json, "resume": resume, "output": output}
    if is_study(experiment, settings):
        from skyedge.cli.run_study import run_study_command

        run_study_command(experiment, settings, seeds=seeds, arms=chosen, **common)
    else:
        from skyedge.cli.run import run_command

        run_command(experiment, settings, seeds=seeds, arms=chosen, **common)


def compare(
    first: Annotated[str, typer.Argument(help="An outcome file (JSON), or an MLflow run id or name.", metavar="A")],
    second: Annotated[str, typer.Argument(help="The other one.", metavar="B")],
    arm: Annotated[str | None, typer.Option(help="Compare this arm only.")] = None,
    open_ui: Annotated[bool, typer.Option("--open", help="Open the same view in the MLflow UI.")] = False,
    output: Folder = DEFAULT_FOLDER,
) -> None:
    """Print the differences between two outcomes, with intervals over their common seeds."""
    from skyedge.cli.compare import compare_command

    compare_command(first, second, arm=arm, output=output, open_ui=open_ui)


def report(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    seeds: Annotated[str | None, typer.Option(help="As in the run.")] = None,
    output: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the report of a finished run again, from its records."""
    from skyedge.experiment.study_loading import is_study

    if is_study(experiment, overrides or []):
        from skyedge.cli.run_study import report_study_command as report_command
    else:
        from skyedge.cli.run import report_command
    report_command(experiment, overrides or [], seeds=seeds, output=output)


def show_config(
    experiment: Annotated[str | None, typer.Argument(help="An experiment file.", metavar="[FILE]")] = None,
    overrides: Overrides = None,
    arm: Annotated[str | None, typer.Option(help="Show the experiment as this arm runs it.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema for editors.")] = False,
) -> None:
    """Print an experiment with all its defaults, or the schema of the file."""
    from skyedge.cli.show_config import show_config_command

    show_config_command(experiment, overrides or [], arm=arm, schema=schema)


def train(
    card: Annotated[Path, typer.Argument(help="A model card with a recipe.", metavar="CARD")],
    replicas: Annotated[str, typer.Option(help="Which replicas to train, for example 0-4.")] = "0",
) -> None:
    """Train a model by its card's recipe and write what it was measured to do into the card."""
    from skyedge.cli.train import train_command

    train_command(card, replicas)


def passes(
    tle: Annotated[Path, typer.Option(help="Two-line elements, or OMM as .csv, .xml or .json.")],
    sites: Annotated[Path, typer.Option(help="CSV: name,lat_deg,lon_deg,height_m.")],
    start: Annotated[str, typer.Option(help="UTC, ISO 8601, for example 2023-01-03T00:00:00Z.")],
    duration: Annotated[str, typer.Option(help="For example 24h.")] = "24h",
    mask_deg: Annotated[float, typer.Option(min=0, max=89, help="Lowest elevation.")] = 10.0,
    format: Annotated[Format, typer.Option(help="How to print them.")] = Format.table,
    plot: Annotated[Path | None, typer.Option(help="Draw a timeline of the passes, as PNG or SVG.")] = None,
    antennas: Annotated[
        str | None, typer.Option(help="List who gets an antenna: first-come, greedy or optimal.", metavar="POLICY")
    ] = None,
    antennas_per_site: Annotated[int, typer.Option(min=1, max=1000, help="For --antennas.")] = 1,
) -> None:
    """List when satellites pass over sites, or which of these passes get an antenna."""
    from skyedge.cli.passes import passes_command

    passes_command(tle, sites, start, duration, mask_deg, format.value, plot, antennas, antennas_per_site)


def paths(
    constellation: Annotated[
        str, typer.Argument(help="A file, or a name in orbit/constellations/: kuiper-630.", metavar="CONSTELLATION")
    ],
    source: Annotated[str, typer.Option("--from", help="Where it begins: a city, or LAT,LON.", metavar="PLACE")],
    target: Annotated[str, typer.Option("--to", help="Where it ends; any: at the best gateway.", metavar="PLACE")],
    start: Annotated[str, typer.Option(help="UTC, ISO 8601, for example 2023-01-03T00:00:00Z.")],
    duration: Annotated[str, typer.Option(help="For example 10min; 7d at most.")] = "10min",
    step: Annotated[str, typer.Option(help="Time between two looks.")] = "1s",
    links: Annotated[
        str, typer.Option(help="Satellites of neighbouring planes linked by row or slot; none: no links between satellites.")
    ] = "row",
    gateways: Annotated[str | None, typer.Option(help="CSV of sites that relay: name,lat_deg,lon_deg,height_m.")] = None,
    mask_deg: Annotated[float, typer.Option(min=0, max=89, help="Lowest elevation.")] = 25.0,
    longest_range_km: Annotated[float | None, typer.Option(min=1, help="Longest link to the ground.")] = None,
    keep_within: Annotated[
        float, typer.Option(min=0, max=10, help="Keep a path up to this share longer than the shortest: fewer hand-overs.")
    ] = 0.0,
    store: Annotated[
        bool, typer.Option("--store", help="Say too when it would arrive, if all on the way can store it.")
    ] = False,
    land_in: Annotated[
        str | None, typer.Option(help="With --to any: end at one of these gateways.", metavar="NAME|NAME")
    ] = None,
    prefer: Annotated[
        str | None, typer.Option(help="With --to any: gateways that are taken before a nearer one.", metavar="NAME|NAME")
    ] = None,
    prefer_within: Annotated[
        float, typer.Option(min=0, max=10, help="By what share farther a preferred gateway may be.")
    ] = 0.2,
    traffic: Annotated[
        Path | None, typer.Option(help="CSV of what else is on the links: from,to,mbps,class; waits in queues count then.")
    ] = None,
    isl_mbps: Annotated[
        float | None,
        typer.Option(min=0.001, help="With --traffic: what a link between satellites carries.", show_default="10000"),
    ] = None,
    ground_mbps: Annotated[
        float | None, typer.Option(min=0.001, help="With --traffic: what a link to the ground does.", show_default="4000")
    ] = None,
    qos: Annotated[
        int | None,
        typer.Option("--class", min=0, max=7, help="With --traffic: the path's class, 0 the most urgent.", show_default="0"),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every step.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it, as PNG or SVG.")] = None,
) -> None:
    """Follow a path through a constellation in time: delay, hops, hand-overs, outages."""
    from skyedge.cli.paths import Affinity, Others, Span, paths_command

    paths_command(
        constellation,
        source,
        target,
        Span.parse(start, duration, step),
        links=links,
        gateways=gateways,
        mask_deg=mask_deg,
        longest_range_km=longest_range_km,
        keep_within=keep_within,
        store=store,
        affinity=Affinity(land_in, prefer, prefer_within),
        others=Others.asked(traffic, isl_mbps, ground_mbps, qos),
        csv_path=csv,
        plot=plot,
    )


def schedule(
    files: Annotated[list[str] | None, typer.Argument(help="Manifests, YAML or JSON; - is standard input.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each pod is where it is, or why it waits.")] = False,
    output: Annotated[Printed, typer.Option("--output", "-o", help="How to print it.")] = Printed.table,
    config: Annotated[str | None, typer.Option(help="Scheduler configuration: actions and tiers of plugins.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A field that is not modelled is an error.")] = False,
    at: Annotated[str | None, typer.Option(help="Now, UTC; by default the latest time in the files.")] = None,
    schedulers: Annotated[int, typer.Option(min=1, max=1000, help="Schedulers that share the cluster.")] = 1,
    sharding: Annotated[str, typer.Option(help="Whose nodes are whose, if there are several: none, soft or hard.")] = "none",
    trace: Annotated[Path | None, typer.Option(help="Replay the trace in this folder in place of files.")] = None,
    format: Annotated[str, typer.Option(help="Format of the trace.")] = "openb",
    policy: Annotated[list[str] | None, typer.Option(help="Trace: a policy; again for another beside it.")] = None,
    demand: Annotated[float | None, typer.Option(help="Trace: add pods up to this multiple of the GPUs.")] = None,
    seed: Annotated[int, typer.Option(help="Trace: seed of the order of added pods.")] = 42,
    nodes: Annotated[str | None, typer.Option(help="Trace: which openb_node_list_*.csv.")] = None,
    pods: Annotated[str | None, typer.Option(help="Trace: which openb_pod_list_*.csv.")] = None,
    json: Annotated[Path | None, typer.Option(help="Trace: write the figures for other programs.")] = None,
) -> None:
    """Run one cycle of the batch scheduler over manifests, or replay a trace."""
    from skyedge.cli.schedule import check_mode, schedule_command

    of_trace = {"--policy": policy, "--demand": demand, "--nodes": nodes, "--pods": pods, "--json": json}
    of_files = {
        "--explain": explain,
        "--output": output.value != "table",
        "--config": config,
        "--strict": strict,
        "--at": at,
    }
    of_files |= {"--schedulers": schedulers > 1, "--sharding": sharding != "none"}
    check_mode(files or [], trace, of_trace, of_files)
    if trace is None:
        schedule_command(
            files or [],
            configuration_file=config,
            explain=explain,
            form=output.value,
            strict=strict,
            at=at,
            schedulers=schedulers,
            sharding=sharding,
        )
        return
    from skyedge.cli.schedule_trace import trace_command

    trace_command(
        trace,
        format=format,
        policies=policy or [],
        demand=demand,
        seed=seed,
        nodes=nodes,
        pods=pods,
        json_path=json,
    )


def federate(
    files: Annotated[list[str], typer.Argument(help="Manifests, YAML or JSON; - is standard input.")],
    explain: Annotated[bool, typer.Option("--explain", help="Say why each cluster runs what it runs, or not.")] = False,
    output: Annotated[Printed, typer.Option("--output", "-o", help="How to print it.")] = Printed.table,
    manifests: Annotated[Path | None, typer.Option(help="Folder for the manifests of each cluster, a file each.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Whatever is worth a warning is an error.")] = False,
    at: Annotated[str | None, typer.Option(help="Now, UTC; by default the latest time of a taint.")] = None,
    fail: Annotated[
        list[str] | None,
        typer.Option(help="A cluster that dies, now or so long after; again for another.", metavar="CLUSTER@T"),
    ] = None,
    failover: Annotated[str | None, typer.Option(help="Who answers to that: skyedge, or karmada-defaults …")] = None,
    drain: Annotated[
        list[str] | None, typer.Option(help="A cluster that is emptied, now or so long after.", metavar="CLUSTER@T")
    ] = None,
    upgrade: Annotated[
        list[str] | None, typer.Option(help="The same, to be upgraded and come back.", metavar="CLUSTER@T")
    ] = None,
    leave: Annotated[list[str] | None, typer.Option(help="The same, to leave the federation.", metavar="CLUSTER@T")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the moments of reports and the starts of containers.")] = None,
) -> None:
    """Place the workloads of a federation of clusters over its members, by their policies."""
    from skyedge.cli.federate import federate_command

    federate_command(
        files,
        explain=explain,
        form=output.value,
        strict=strict,
        manifests_folder=manifests,
        at=at,
        fail=fail or [],
        failover=failover,
        planned={"drain": drain or [], "upgrade": upgrade or [], "leave": leave or []},
        seed=seed,
    )


def route(
    files: Annotated[list[str], typer.Argument(help="Manifests, YAML or JSON; - is standard input.")],
    requests: Annotated[
        str, typer.Option(help="A file of requests (CSV, JSON, YAML), or how many to make up.", metavar="FILE|N")
    ],
    explain: Annotated[bool, typer.Option("--explain", help="Say which rule took each request, and why.")] = False,
    source: Annotated[
        str | None, typer.Option("--from", help="Who calls: a workload, a gateway or a locality.", metavar="CALLER")
    ] = None,
    output: Annotated[Printed, typer.Option("--output", "-o", help="How to print it.")] = Printed.table,
    strict: Annotated[bool, typer.Option("--strict", help="What is not modelled, or useless, is an error.")] = False,
    seed: Annotated[int, typer.Option(help="Of requests that are made up, and of all chance.")] = 42,
    rate: Annotated[float, typer.Option(min=0.001, max=1e6, help="Requests a second where no times are given.")] = 100.0,
    delay: Annotated[
        list[str] | None, typer.Option(help="One way between two regions; again for others.", metavar="A,B=15ms")
    ] = None,
    down: Annotated[
        list[str] | None, typer.Option(help="An edge node whose site has no line; again for others.", metavar="NODE")
    ] = None,
    traces: Annotated[Path | None, typer.Option(help="Write traces, as OpenTelemetry JSON.")] = None,
    metrics: Annotated[Path | None, typer.Option(help="Write metrics, as Prometheus text.")] = None,
    topology: Annotated[Path | None, typer.Option(help="Write who calls whom, as .dot or .mmd.")] = None,
    rollout: Annotated[str | None, typer.Option(help="Try a new version on them: the name of a Canary.")] = None,
    upgrade_proxies: Annotated[
        bool, typer.Option("--upgrade-proxies", help="Upgrade the proxies of nodes meanwhile, gracefully and not.")
    ] = False,
    drain: Annotated[str | None, typer.Option(help="How long an old proxy may take to finish.", show_default="10m")] = None,
    max_unavailable: Annotated[
        int | None, typer.Option(min=1, help="So many nodes are upgraded at a time.", show_default="1")
    ] = None,
    without_zone: Annotated[
        list[str] | None, typer.Option(help="The control plane loses it half-way; again for another.", metavar="ZONE")
    ] = None,
) -> None:
    """Send requests through a service mesh: rule, destination, endpoint, retries, ejections, latency."""
    from skyedge.cli.route import route_command
    from skyedge.cli.route_upgrade import ProxyUpgrade

    route_command(
        files,
        requests=requests,
        explain=explain,
        source=source,
        form=output.value,
        strict=strict,
        seed=seed,
        rate_per_s=rate,
        delays=delay or [],
        down=down or [],
        outputs={"traces": traces, "metrics": metrics, "topology": topology},
        rollout=rollout,
        upgrade=ProxyUpgrade.asked(upgrade_proxies, drain, max_unavailable),
        without_zones=without_zone or [],
    )


def doctor(output: Folder = DEFAULT_FOLDER) -> None:
    """Check the installation: packages, data, models, the store, Ray."""
    from skyedge.cli.doctor import doctor_command

    doctor_command(output)
