"""The runner: what it counts, what it says of bad files, and when an answer is the expected one."""

import json
from pathlib import Path

import pytest
from compare import matches
from run import main

HERE = Path(__file__).parent
LCA = {"hypernodes": [{"name": "rack", "tier": 1, "members": ["node"], "parent": None}], "a": "rack", "b": "rack"}


def a_case(**changes):
    return {"id": "one", "kind": "hypernode_lca", "tier": "core", "input": LCA, "expected": {"lca": "rack"}, **changes}


@pytest.fixture
def run(tmp_path, capsys):
    """Runs cases; the exit code, what was printed, and the JSON of the file."""

    def run(*cases):
        path, out = tmp_path / "cases.json", tmp_path / "out.json"
        path.write_text(json.dumps({"cases": list(cases)}))
        code = main([str(path), "--json", str(out)])
        return code, capsys.readouterr().out, json.loads(out.read_text())["cases.json"]

    return run


def test_cases_are_counted_by_tier_and_by_kind(run):
    missed = a_case(id="two", tier="advanced", expected={"lca": None})
    code, _, counts = run(a_case(), missed)
    assert code == 0
    assert counts["core"] == {"passed": 1, "total": 1}
    assert counts["advanced"] == {"passed": 0, "total": 1}
    assert counts["kinds"] == {"hypernode_lca": {"passed": 1, "total": 2}}
    assert counts["failures"] == [{"id": "two", "expected": {"lca": None}, "got": {"lca": "rack"}}]


def test_a_core_case_that_fails_makes_the_run_fail(run):
    code, printed, _ = run(a_case(expected={"lca": None}))
    assert code == 1
    assert "FAILED one (hypernode_lca, core)" in printed


def test_a_kind_without_an_adapter_fails(run):
    code, _, counts = run(a_case(kind="horoscope"))
    assert code == 1
    assert counts["failures"][0]["got"] == "no adapter for this kind"


def test_an_exception_is_a_failure_of_its_case_alone(run):
    code, _, counts = run(a_case(input={}), a_case(id="two"))
    assert code == 1
    assert counts["core"] == {"passed": 1, "total": 2}
    assert counts["failures"][0]["got"] == "KeyError: 'hypernodes'"


WITH_BAD_AMOUNTS = {"deserved": {"cpu": 1}, "allocated": {}}


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ({"kind": "capacity_queue_share", "input": WITH_BAD_AMOUNTS}, 1),  # refused with a sentence
        ({"input": {}}, 0),  # broken, which is not the same
        ({}, 0),  # answered
    ],
)
def test_an_expected_error_wants_a_refusal(run, change, passed):
    _, _, counts = run(a_case(expected={"error": True}, **change))
    assert counts["core"]["passed"] == passed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "this is not JSON"),
        ("[]", "a file of cases is an object with a list 'cases'"),
        ('{"cases": [1]}', "cases[0]: a case is an object"),
        (json.dumps({"cases": [{**a_case(), "tier": "cor"}]}), "not 'cor' (did you mean 'core'?)"),
        (
            json.dumps({"cases": [{k: v for k, v in a_case().items() if k != "input"}]}),
            "a case has a field 'input', an object",
        ),
        (json.dumps({"cases": [a_case(), a_case()]}), "the case 'one' is there twice"),
    ],
)
def test_a_bad_file_gets_one_sentence_and_no_result(tmp_path, capsys, text, sentence):
    path, out = tmp_path / "cases.json", tmp_path / "out.json"
    path.write_text(text)
    assert main([str(HERE / "computed.json"), str(path), "--json", str(out)]) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not out.exists()


def test_an_unknown_file_is_named_with_the_nearest(capsys):
    assert main([str(HERE / "volcanos.json")]) == 2
    assert "volcanos.json: there is no such file (did you mean 'volcano.json'?)" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_gets_a_sentence(tmp_path, capsys):
    assert main([str(HERE / "computed.json"), "--json", str(tmp_path / "nowhere" / "out.json")]) == 2
    assert "this cannot be written" in capsys.readouterr().err


A_THOUSAND = {"deserved": {"q": {"cpu_milli": 1000}}, "relative_tolerance": 0.001}


@pytest.mark.parametrize(
    ("kind", "expected", "got", "same"),
    [
        ("session", {"evicted": ["a", "b"]}, {"evicted": ["b", "a"]}, True),
        ("session", {"evicted": ["a"]}, {"evicted": ["a", "a"]}, False),
        ("session", {"evicted": []}, {"evicted": ["a"]}, False),
        ("session", {"binds": {"a": "n"}}, {"binds": {"a": "n", "b": "n"}}, False),
        ("session", {"pipelined": {"g": ["n", "m"]}}, {"pipelined": {"g": ["m", "n"], "h": ["n"]}}, True),
        ("session", {"pipelined": {"g": ["n"]}}, {"pipelined": {"g": ["n", "n"]}}, False),
        ("session", {"pipelined": {"g": []}}, {"pipelined": {}}, True),
        ("session", {"pod_group_phase": {"g": "Inqueue"}}, {"pod_group_phase": {"g": "Inqueue", "h": "Pending"}}, True),
        ("session", {"pod_group_phase": {"g": "Inqueue"}}, {"pod_group_phase": {}}, False),
        ("backfill_order", {"order": ["a", "b"]}, {"order": ["b", "a"]}, False),
        ("capacity_queue_share", {"share": 0.5}, {"share": 0.5000005}, True),
        ("capacity_queue_share", {"share": 0.5}, {"share": 0.50001}, False),
        ("drf_share", {"share": 0.4, "tolerance": 0.1}, {"share": 0.45}, True),
        ("drf_share", {"share": 0.4}, {"share": 0.45}, False),
        ("proportion_deserved", A_THOUSAND, {"deserved": {"q": {"cpu_milli": 1001}}}, True),
        ("proportion_deserved", A_THOUSAND, {"deserved": {"q": {"cpu_milli": 1002}}}, False),
        ("elastic_resources", {"elastic": {"cpu_milli": 0, "scalars": {}}}, {"elastic": {}}, True),
        ("elastic_resources", {"elastic": {"cpu_milli": 0}}, {"elastic": {"cpu_milli": 1}}, False),
        ("overcommit_enqueueable", {"enqueueable": True}, {"enqueueable": 1}, False),
        ("hypernode_lca", {"lca": None}, {"lca": None}, True),
        ("hypernode_lca", {"lca": None}, {}, False),
    ],
)
def test_an_answer_is_the_expected_one_by_the_rule_of_its_field(kind, expected, got, same):
    assert matches(kind, expected, got) is same
