"""`skyedge schedule --trace`: what is printed and written, and one sentence for each mistake."""

from __future__ import annotations

import json
from functools import partial

import pytest

from skyedge.resources import folder

SAMPLE = folder("experiments") / "traces" / "openb-sample"


@pytest.fixture
def run(skyedge):
    """Run `skyedge schedule --trace` in an empty folder; its output, errors and exit code."""
    return partial(skyedge, "schedule", "--trace")


def test_policies_stand_side_by_side_as_demand_grows_and_are_written_for_other_programs(run, tmp_path):
    out, err, code = run(
        SAMPLE, "--policy", "fgd", "--policy", "best-fit", "--policy", "random", "--demand", "1.3", "--json", "out/o.json"
    )
    assert code == 0, err
    assert "openb_pod_list_default.csv (one of 2; --pods takes another)" in out
    assert all(name in out for name in ("fgd", "best-fit", "random", "refused", "decisions/s"))
    written = json.loads((tmp_path / "out" / "o.json").read_text())
    assert written["format"] == "openb"
    assert written["nodes"] == "openb_node_list_gpu_node.csv"
    assert written["pods"] == "openb_pod_list_default.csv"
    assert (written["seed"], written["demand"]) == (42, 1.3)
    assert list(written["policies"]) == ["fgd", "best-fit", "random"]
    for figures in written["policies"].values():
        assert list(figures["allocation_percent"]) == [str(percent) for percent in range(1, 131)]
        assert 0 < figures["allocation_percent"]["130"] <= figures["final_allocation_percent"] <= 100
        assert 0 <= figures["fragmentation_percent"] <= 100 - figures["final_allocation_percent"] + 1e-3
        assert 0 < figures["refused"] < figures["pods"]
        assert figures["timing"]["decisions_per_second"] > 0


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(run, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(SAMPLE, "--policy", "bestfit", "--demand", "1.1", "--seed", seed, "--json", f"{name}.json").code == 0
    first, again, other = (
        json.loads((tmp_path / f"{name}.json").read_text())["policies"]["bestfit"]["allocation_percent"] for name in "abc"
    )
    assert first == again != other


def test_without_demand_the_trace_is_replayed_in_virtual_time(run, tmp_path):
    out, err, code = run(SAMPLE, "--policy", "fgd", "--policy", "bestfit", "--pods", "busy", "--json", "o.json")
    assert code == 0, err
    for said in ("queueing time, p95", "completion time, mean", "fairness between queues (Jain)", "makespan"):
        assert said in out
    written = json.loads((tmp_path / "o.json").read_text())
    assert written["demand"] is None
    for figures in written["policies"].values():
        assert figures["finished"] == figures["jobs"] == 1500
        assert 0 < figures["queueing_mean_s"] < figures["completion_mean_s"] < figures["makespan_s"]
        assert 0 < figures["fairness"] <= 1


def test_a_scheduler_configuration_is_a_policy(run, tmp_path):
    (tmp_path / "mine.yaml").write_text("actions: allocate\ntiers:\n- plugins:\n  - name: predicates\n  - name: bestfit\n")
    assert run(SAMPLE, "--policy", "mine.yaml", "--policy", "bestfit", "--demand", "0.5", "--json", "o.json").code == 0
    written = json.loads((tmp_path / "o.json").read_text())
    assert list(written["policies"]) == ["mine.yaml", "bestfit"]


def test_the_sample_is_found_by_its_name_alone(run):
    assert run("traces/openb-sample", "--policy", "bestfit", "--demand", "0.1").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "bestfitt", "--demand", "1"], "there is no policy 'bestfitt'; there are fgd, bestfit"),
        (["--policy", "gone.yaml"], "gone.yaml: there is no such scheduler configuration"),
        (["--format", "opnb"], "there is no trace format 'opnb' (did you mean 'openb'?)"),
        (["--demand", "0"], "--demand: must be more than 0"),
        (["--demand", "nan"], "--demand: must be more than 0"),
        (["--demand", "1e9"], "--demand: must be more than 0 and at most 100"),
        (["--pods", "busi"], "there is no list 'busi' (did you mean 'busy'?)"),
        (["--nodes", "gpu"], "there is no list 'gpu'"),
        (["--json", "."], "is a folder; a file is wanted"),
        (["pods.yaml"], "give either files of manifests or --trace, not both"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing_behind(run, tmp_path, arguments, said):
    out, err, code = run(SAMPLE, *arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not out
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(run):
    _, err, code = run("traces/openb-sampel", "--demand", "1")
    assert code == 2
    assert "did you mean 'traces/openb-sample'?" in err


def test_pods_without_a_time_cannot_be_replayed_but_can_be_packed(run, tmp_path):
    place = tmp_path / "trace"
    place.mkdir()
    (place / "openb_node_list_a.csv").write_text("sn,cpu_milli,memory_mib,gpu,model\nn,8000,9000,1,T4\n")
    (place / "openb_pod_list_a.csv").write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1000,10,1,500\n")
    _, err, code = run(place)
    assert code == 2
    assert "pod 'p' has no creation_time" in err
    assert run(place, "--demand", "1").code == 0


@pytest.mark.parametrize(
    "option", [("--explain",), ("--config", "x.yaml"), ("-o", "json"), ("--schedulers", 3), ("--strict",)]
)
def test_an_option_that_means_nothing_to_a_trace_is_refused(run, option):
    out, err, code = run(SAMPLE, *option)
    assert code == 2
    assert out == ""
    assert "means nothing to a trace" in err
