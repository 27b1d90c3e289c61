"""A study is run, judged, kept and reported as an experiment is, and says where what it models would flip."""

import json
import re
import sys
from contextlib import suppress
from itertools import count

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from skyedge.cli.app import main
from skyedge.cli.show_config import study_schema
from skyedge.errors import InputError
from skyedge.experiment.loading import as_yaml
from skyedge.experiment.statistics import Estimate
from skyedge.experiment.study_flips import find_flip
from skyedge.experiment.study_loading import load_study, parameters_of, run_digest, study_digest
from skyedge.experiment.study_outcome import conclude_study
from skyedge.experiment.study_run import kept_findings, run_arm, run_study

SUBJECT = """
from pathlib import Path
from typing import Literal
from pydantic import Field
from skyedge.errors import InputError
from skyedge.experiment.study_subject import Findings, Listing, Metric, Series, Subject
from skyedge.profiles import Part
from skyedge.streams import stream

class Rate(Part):
    per_hour: float = Field(default=2.0, ge=0, le=100)
    floor: float = 1.0

class Drinking(Part):
    cups: int = Field(default=4, ge=0, le=100)
    rate: Rate = Rate()
    shape: Literal["line", "hill"] = "line"
    stop_if: str = ""
    beans: str = ""

class Coffee(Subject):
    Parameters = Drinking
    metrics = {"awake": Metric("awake", "h"), "cost": Metric("cost", "EUR", better="less")}

    def input_files(self, parameters):
        return [Path(parameters.beans)] if parameters.beans else []

    def run(self, parameters, seed):
        if parameters.stop_if and seed and Path(parameters.stop_if).exists():
            raise KeyboardInterrupt
        if parameters.cups == 99:
            raise InputError("nobody drinks that much")
        luck = stream(seed, "drinker", "nap").uniform()
        cups, rate = parameters.cups, parameters.rate.per_hour
        awake = 10 + luck + (cups * rate if parameters.shape == "line" else -(rate - 5) ** 2)
        line = Series([0, cups], [0, awake], "cups", "hours", steps=True)
        return Findings({"awake": awake, "cost": 0.5 * cups}, {"over the day": line}, {"rates": Listing(["r"], [[rate]])})
"""
FILE = """apiVersion: skyedge/v1
kind: Study
metadata: {name: coffee, description: how long}
study: SUBJECT
parameters:
  cups: 4
arms:
  none: {set: {parameters.cups: 0}}
  some: {}
  many: {set: {parameters.cups: 8}}
baseline: none
seeds: 0-3
claims:
  - name: coffee keeps awake
    evidence: modelled
    arms: [some]
    parts: [{metric: awake_difference, at_least: 6}, {metric: cost, at_most: 3}]
    constants: [{key: parameters.rate.per_hour, low: 0, high: 10, unit: h, source: assumed}]
"""
_numbers = count()


@pytest.fixture
def subject(tmp_path, monkeypatch):
    """A user's own subject, in a module of its own."""
    name = f"coffee_{next(_numbers)}"
    (tmp_path / f"{name}.py").write_text(SUBJECT)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield f"{name}:Coffee"
    sys.modules.pop(name, None)


@pytest.fixture
def file(subject, tmp_path):
    path = tmp_path / "coffee.yaml"
    path.write_text(FILE.replace("SUBJECT", subject))
    return path


def skyedge(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["skyedge", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    out, err = capsys.readouterr()
    return stop.value.code or 0, out, err


def outcome_of(study):
    findings = {arm: [dict(run_arm(study, arm, seed).figures) for seed in study.seeds] for arm in study.arms}
    return conclude_study(study, findings)


def claim_that(bar, constant="parameters.rate.per_hour", low=0, high=10):
    parts = f"parts: [{{metric: awake_difference, at_least: {bar}}}]"
    constants = f"constants: [{{key: {constant}, low: {low}, high: {high}}}]"
    return f"claims=[{{name: c, evidence: modelled, arms: [some], {parts}, {constants}}}]"


def flips(path, *overrides):
    study = load_study(path, overrides)
    return find_flip(study, 0, 0, outcome_of(study).claims[0].verdict, run_arm)


def test_the_arms_of_a_seed_see_the_same_luck_so_their_difference_has_none(file):
    outcome = outcome_of(load_study(file))
    assert outcome.arms["some"]["awake_difference"].per_seed == pytest.approx([8] * 4)
    assert np.std(outcome.arms["some"]["awake"].per_seed) > 0.01
    some, base = outcome.arms["some"], outcome.arms["none"]["awake"]
    for seed, awake in enumerate(some["awake"].per_seed):
        assert some["awake_ratio"].per_seed[seed] == awake / base.per_seed[seed]
        assert some["awake_gain"].per_seed[seed] == pytest.approx(-some["awake_reduction"].per_seed[seed])


def test_a_figure_over_a_baseline_of_nothing_is_unknown_and_not_endless(file):
    outcome = outcome_of(load_study(file))
    assert outcome.arms["none"]["cost"].mean == 0
    assert np.isnan(outcome.arms["some"]["cost_ratio"].mean)
    assert json.loads(json.dumps(outcome.as_dict(), allow_nan=False))["arms"]["some"]["cost_ratio"]["mean"] is None


@pytest.mark.parametrize(("seeds", "interval", "verdict"), [("0-1", False, "not tested"), ("0-2", True, "met")])
def test_a_claim_needs_three_seeds_for_an_interval(file, seeds, interval, verdict):
    outcome = outcome_of(load_study(file, seeds=seeds))
    assert (outcome.arms["some"]["awake"].low is not None) == interval
    assert outcome.claims[0].verdict == verdict


def test_an_effect_is_real_with_ten_seeds_and_a_figure_that_never_differs_is_the_same(file):
    assert "10 needed" in outcome_of(load_study(file)).tests["some"]["awake"].verdict
    tests = outcome_of(load_study(file, ["arms.twin={set: {parameters.cups: 0}}"], seeds="0-9")).tests
    assert tests["some"]["awake"].verdict == "real"
    assert tests["twin"]["awake"].verdict == "the same"
    # Exact: all ten differences have one sign, and four such tests are in the family.
    assert tests["some"]["awake"].p == pytest.approx(2 / 2**10)
    assert tests["some"]["awake"].p_holm == pytest.approx(4 * 2 / 2**10)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bar=st.floats(0.5, 39.5), in_file=st.floats(0.1, 9.9))
def test_a_verdict_flips_where_the_formula_says(file, bar, in_file):
    # awake_difference is cups x rate with four cups, so the verdict turns at a quarter of the bar.
    flip = flips(file, claim_that(bar), f"parameters.rate.per_hour={in_file}")
    (turn,) = flip.turns
    met = 4 * in_file >= bar + 1e-9
    if abs(4 * in_file - bar) > 1e-6:
        assert (turn.side, turn.verdict) == (("below", "not met") if met else ("above", "met"))
    assert turn.value == pytest.approx(bar / 4, rel=3e-3, abs=2e-2)
    assert flip.in_file == in_file


def test_a_verdict_that_holds_in_a_middle_range_flips_on_both_sides(file):
    shape = ["arms.none={set: {parameters.shape: hill, parameters.rate.per_hour: 1}}", "parameters.shape=hill"]
    flip = flips(file, claim_that(12), *shape, "parameters.rate.per_hour=4.5")
    # 16 - (rate - 5)^2 is at least 12 between 3 and 7.
    assert [turn.side for turn in flip.turns] == ["below", "above"]
    assert [turn.value for turn in flip.turns] == pytest.approx([3, 7], rel=3e-3)
    assert "≤" in flip.words()
    assert "≥" in flip.words()
    assert "in file: 4.5" in flip.words()


def test_a_whole_number_flips_at_a_whole_number(file):
    (turn,) = flips(file, claim_that(17, "parameters.cups", 0, 90)).turns
    assert turn.value == 9  # 9 x 2 is the first that is at least 17
    assert isinstance(turn.value, int)


def test_a_value_outside_its_range_is_searched_on_the_side_of_the_range_only(file):
    flip = flips(file, claim_that(12, low=0, high=5), "parameters.rate.per_hour=9")
    assert [(turn.side, turn.verdict) for turn in flip.turns] == [("below", "not met")]
    assert flip.turns[0].value == pytest.approx(3, rel=3e-3)


def test_where_nothing_flips_that_is_said(file):
    flip = flips(file, "parameters.cups=100", claim_that(1, low=1))
    assert flip.turns == ()
    assert flip.words() == "no flip of rate.per_hour between 1 and 10 (in file: 2)"


def test_a_bar_may_be_a_ceiling_and_the_whole_interval_must_be_under_it(file):
    parts = "claims=[{name: c, evidence: measured, arms: [some], parts: [{metric: awake, at_most: LIMIT}]}]"
    estimate: Estimate = outcome_of(load_study(file)).arms["some"]["awake"]
    for limit, verdict in ((estimate.high + 1e-6, "met"), (estimate.mean, "not met"), (estimate.low, "not met")):
        outcome = outcome_of(load_study(file, [parts.replace("LIMIT", str(limit))]))
        assert outcome.claims[0].verdict == verdict


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("  cups: 4", "  cpus: 4", "parameters.cpus: unknown key 'cpus' (did you mean 'cups'?)"),
        ("  cups: 4", "  cups: 400", "parameters.cups: Input should be less than or equal to 100"),
        ("  cups: 4", "  rate: {per_hor: 4}", "parameters.rate.per_hor: unknown key 'per_hor' (did you mean 'per_hour'?)"),
        ("  many: {set: {parameters.cups: 8}}", "  many: {set: {parameters.cups: lots}}", "parameters.cups: this should be"),
        ("  many: {set: {parameters.cups: 8}}", "  many: {set: {cups: 8}}", "did you mean 'parameters.cups'?"),
        ("  many: {set: {parameters.cups: 8}}", "  many: {set: {seeds: 8}}", "arm many cannot set 'seeds'"),
        ("baseline: none", "baseline: nine", "there is no arm 'nine' (did you mean 'none'?)"),
        ("baseline: none", "baseline: none\ncolumns: [awake, cots]", "no arm measures 'cots' (did you mean 'cost'?)"),
        ("awake_difference", "awake_diference", "did you mean 'awake_difference'?"),
        ("arms: [some]", "arms: [sum]", "there is no arm 'sum'"),
        ("at_most: 3", "at_mots: 3", "unknown key 'at_mots' (did you mean 'at_most'?)"),
        ("at_most: 3", "at_most: 3, at_least: 2", "one of at_least and at_most"),
        ("evidence: modelled", "evidence: modeled", "did you mean 'modelled'?"),
        ("key: parameters.rate.per_hour", "key: parameters.rate.per_houre", "did you mean 'parameters.rate.per_hour'?"),
        ("key: parameters.rate.per_hour", "key: parameters.shape", "is no number but 'line'"),
        ("low: 0, high: 10", "low: 0, high: 1000", "at 1000, an end of its range"),
        ("constants: [{key: parameters.rate.per_hour, low: 0, high: 10, unit: h, source: assumed}]", "constants: []",
         "must name the constants that decide it"),
        ("kind: Study", "kind: Stduy", "'Stduy' should be 'Experiment' or 'Study' (did you mean 'Study'?)"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_its_line(file, monkeypatch, capsys, tmp_path, old, new, sentence):
    text = file.read_text().replace(old, new, 1)
    assert text != file.read_text()
    file.write_text(text)
    code, _, err = skyedge(monkeypatch, capsys, "run", file, "-o", tmp_path / "runs")
    assert code == 2
    assert sentence in err
    line = next(number for number, words in enumerate(text.splitlines(), 1) if new.splitlines()[-1] in words)
    place = int(re.search(rf"{file}:(\d+)", err).group(1))
    assert line - 4 <= place <= line + 1  # what is missing is missing from the claim that begins four lines above
    assert not (tmp_path / "runs").exists()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(FILE)), text=st.text(alphabet="abz:{}[],.-0 \n", max_size=6), cut=st.integers(0, 30))
def test_random_damage_never_gives_a_traceback(file, tmp_path, place, text, cut):
    damaged = tmp_path / "damaged.yaml"
    whole = file.read_text()
    damaged.write_text(whole[:place] + text + whole[place + cut :])
    with suppress(InputError):  # and nothing but an InputError
        assert load_study(damaged).arms


@pytest.mark.parametrize(("name", "words"), [("ofload", "did you mean 'offload'"), ("no.such:Thing", "cannot import"),
                                             ("pathlib:Path", "is no subject of a study")])  # fmt: skip
def test_a_study_that_is_not_there_or_is_none_is_named(file, name, words):
    with pytest.raises(InputError, match=words):
        load_study(file, [f"study={name}"])


def test_what_a_subject_refuses_is_said_with_the_arm(file):
    study = load_study(file, ["arms.many.set={parameters.cups: 99}"])
    with pytest.raises(InputError, match="arm many, seed 2: nobody drinks that much"):
        run_arm(study, "many", 2)


def test_one_figure_of_a_profile_may_be_set_and_the_others_keep_their_defaults(file):
    study = load_study(file, ["parameters.rate.per_hour=3"])
    assert parameters_of(study, "some").rate.model_dump() == {"per_hour": 3, "floor": 1}


def test_a_study_survives_being_written_out_and_may_be_extended(file, tmp_path):
    study = load_study(file)
    again = tmp_path / "again.yaml"
    again.write_text(as_yaml(study))
    assert load_study(again) == study
    heir = tmp_path / "heir.yaml"
    heir.write_text("extends: coffee.yaml\nparameters: {cups: 5}\narms: {many: null}\nseeds: 7\n")
    extended = load_study(heir)
    assert (list(extended.arms), extended.seeds, parameters_of(extended, "some").cups) == (["none", "some"], (7,), 5)


def test_the_schema_accepts_the_file_and_refuses_what_the_program_refuses(file, subject):
    validator = Draft202012Validator(study_schema(subject))
    content = yaml.safe_load(file.read_text())
    assert [error.message for error in validator.iter_errors(content)] == []
    for wrong in ({"parameters": {"cpus": 4}}, {"parameters": {"rate": {"per_hour": "x"}}}, {"arms": {"a": {"sett": {}}}}):
        assert not validator.is_valid({"extends": "coffee.yaml", **wrong})


def test_a_run_is_known_by_its_parameters_and_seed_and_not_by_what_its_arm_is_called(file):
    study = load_study(file)
    assert run_digest(study, "some", 0) != run_digest(study, "some", 1)
    assert run_digest(study, "some", 0) != run_digest(study, "many", 0)
    renamed = load_study(file, ["arms.same={set: {parameters.cups: 4}}"])
    assert run_digest(renamed, "same", 0) == run_digest(study, "some", 0)
    assert study_digest(study) == study_digest(load_study(file, ["runtime.workers=3", "metadata.description=other"]))
    assert study_digest(study) != study_digest(load_study(file, ["parameters.cups=5"]))


def test_a_file_is_found_beside_the_one_that_names_it_and_its_content_decides(file, tmp_path):
    beans = tmp_path / "beans.csv"
    beans.write_text("strong")
    file.write_text(file.read_text().replace("  cups: 4", "  cups: 4\n  beans: beans.csv"))
    heir = tmp_path / "below"
    heir.mkdir()
    (heir / "heir.yaml").write_text("extends: ../coffee.yaml\n")
    study = load_study(heir / "heir.yaml")
    assert study.parameters["beans"] == str(beans)
    before = (run_digest(study, "some", 0), study_digest(study))
    assert before == (run_digest(study, "some", 0), study_digest(study))
    beans.write_text("mild")
    assert run_digest(study, "some", 0) != before[0]
    assert study_digest(study) != before[1]


def test_a_resumed_run_takes_what_was_kept(file, tmp_path):
    study = load_study(file)
    first = {(arm, seed): found.figures for arm, seed, found in run_study(study, tmp_path, resume=False)}
    kept = tmp_path / "records" / f"{run_digest(study, 'some', 1)}.json"
    content = json.loads(kept.read_text())
    assert content["figures"] == first["some", 1]
    content["figures"]["awake"] = -1.0
    kept.write_text(json.dumps(content))
    again = {(arm, seed): found.figures for arm, seed, found in run_study(study, tmp_path, resume=True)}
    assert again.pop(("some", 1))["awake"] == -1
    assert again == {key: figures for key, figures in first.items() if key != ("some", 1)}
    whole = {(arm, seed): found.figures for arm, seed, found in run_study(study, tmp_path, resume=False)}
    assert whole == first
    found = kept_findings(study, tmp_path, "some", 1)
    assert found.series["over the day"].steps


def test_a_study_runs_is_reported_logged_and_compares_with_itself(file, monkeypatch, capsys, tmp_path):
    runs, result = tmp_path / "runs", tmp_path / "out.json"
    code, out, _ = skyedge(monkeypatch, capsys, "run", file, "-o", runs, "--json", result)
    assert code == 0
    assert "(modelled) coffee keeps awake" in out
    assert "flips to not met at rate.per_hour ≤ 1.5" in out
    outcome = json.loads(result.read_text())
    (claim,) = outcome["claims"]
    assert (claim["verdict"], claim["evidence"], claim["flips"][0]["source"]) == ("met", "modelled", "assumed")
    assert claim["flips"][0]["turns"][0]["value"] == pytest.approx(1.5, rel=2e-3)
    (page,) = runs.glob("coffee-*/report.html")
    html = page.read_text()
    assert html.count("<svg") == 1
    assert "over the day" in html
    assert not re.findall(r"""(?:src|href)\s*=\s*['"]?http""", html)
    before = html
    code, _, _ = skyedge(monkeypatch, capsys, "report", file, "-o", runs)
    assert code == 0
    assert re.sub(r"<svg.*?</svg>", "", page.read_text(), flags=re.S) == re.sub(r"<svg.*?</svg>", "", before, flags=re.S)

    from skyedge.experiment.tracking import open_client, store_uri

    client = open_client(store_uri(runs))
    logged = client.search_runs([client.get_experiment_by_name("coffee").experiment_id])
    children = [run for run in logged if "mlflow.parentRunId" in run.data.tags]
    assert (len(logged), len(children)) == (13, 12)
    assert {run.data.params["parameters.cups"] for run in children} == {"0", "4", "8"}
    assert all("awake_ratio" in run.data.metrics for run in children)

    code, out, _ = skyedge(monkeypatch, capsys, "compare", "coffee", result, "-o", runs)
    assert code == 0
    assert out.count("+0 [+0, +0]") == 6


def test_a_stopped_study_keeps_its_finished_runs_and_resumes(file, monkeypatch, capsys, tmp_path):
    flag, runs = tmp_path / "flag", tmp_path / "runs"
    flag.touch()
    arguments = ("run", file, "--set", f"parameters.stop_if={flag}", "-o", runs, "--json", tmp_path / "out.json")
    code, out, err = skyedge(monkeypatch, capsys, *arguments)
    assert code == 130
    assert "3 runs finished and kept" in err
    assert json.loads((tmp_path / "out.json").read_text())["seeds"] == [0]
    flag.unlink()
    code, out, _ = skyedge(monkeypatch, capsys, *arguments, "--resume")
    assert code == 0
    assert json.loads((tmp_path / "out.json").read_text())["seeds"] == [0, 1, 2, 3]
    assert "4 seeds" in out


def test_a_study_and_an_experiment_are_not_compared(file, monkeypatch, capsys, tmp_path):
    skyedge(monkeypatch, capsys, "run", file, "-o", tmp_path / "runs", "--json", tmp_path / "a.json")
    outcome = json.loads((tmp_path / "a.json").read_text())
    del outcome["kind"]
    (tmp_path / "b.json").write_text(json.dumps(outcome))
    code, _, err = skyedge(monkeypatch, capsys, "compare", tmp_path / "a.json", tmp_path / "b.json", "-o", tmp_path / "runs")
    assert code == 2
    assert "no figures in common" in err
