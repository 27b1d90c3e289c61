import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.mesh.objects import Caller
from skyedge.layers.mesh.telemetry import exposition
from skyedge.layers.mesh.telemetry.prometheus import BUCKETS_MS, LABELS, escaped
from skyedge.layers.mesh.traffic.calls import NEVER
from tests.layers.mesh.telemetry.traffic_of_two import WEB, traffic

CALLS = traffic().calls
TEXT = exposition(CALLS)

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|NaN|[+-]Inf)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def unescaped(value):
    return re.sub(r'\\[\\"n]', lambda found: UNESCAPED[found[0]], value)


def parsed(text):
    """Samples by family, strictly by the text format 0.0.4: help and type once and first, no series twice."""
    assert text.endswith("\n")
    families, kinds, family = defaultdict(dict), {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in families
            families[family] = {}
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            assert name not in kinds
            kinds[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name, inside, value = found.groups()
            suffixes = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
            assert name in [family + suffix for suffix in suffixes]
            labels, at = {}, 0
            while at < len(inside or ""):
                label = LABEL.match(inside, at)
                assert label, inside[at:]
                assert label[1] not in labels
                labels[label[1]] = unescaped(label[2])
                at = label.end()
            key = (name, tuple(sorted(labels.items())))
            assert key not in families[family]
            families[family][key] = float(value)
    return families, kinds


FAMILIES, KINDS = parsed(TEXT)


def test_the_metrics_are_istios():
    assert KINDS == {
        "istio_requests_total": "counter",
        "istio_request_duration_milliseconds": "histogram",
        "istio_request_bytes": "histogram",
        "istio_response_bytes": "histogram",
    }
    for _, labels in FAMILIES["istio_requests_total"]:
        assert {name for name, _ in labels} == set(LABELS)


def total(**wanted):
    return sum(
        value
        for (_, labels), value in FAMILIES["istio_requests_total"].items()
        if all(dict(labels)[name] == text for name, text in wanted.items())
    )


def test_callers_report_requests_and_endpoints_report_attempts():
    requests, attempts = CALLS.requests, CALLS.attempts
    assert total(reporter="source") == (~requests.mirror).sum()
    assert total(reporter="destination") == (attempts.arrived_us != NEVER).sum()
    assert total(reporter="source", response_code="555", response_flags="FI") == (requests.status == 555).sum() > 0
    assert total(reporter="source", response_flags="URX") == (requests.flags[~requests.mirror] == 32).sum() > 0
    assert total(reporter="destination", response_code="503") == (attempts.reply == 503).sum() > 0
    assert total(reporter="destination", destination_app="back", destination_version="v1") == sum(
        CALLS.endpoints[one].address == "b1" for one in attempts.endpoint.tolist()
    )


def test_names_with_quotes_and_backslashes_come_through():
    assert {'"', "\\"} <= set(WEB.name)
    assert total(reporter="source", source_workload=WEB.name, source_version="v1") == 300


@pytest.mark.parametrize(("name", "workload"), [("earth/door-a", "door-a"), ("svalbard/a", "svalbard/a")])
def test_a_caller_goes_by_the_name_of_its_workload_and_its_namespace_is_said_beside_it(name, workload):
    families, _ = parsed(exposition(traffic(5, caller=Caller(name, namespace="earth")).calls))
    callers = [dict(labels) for _, labels in families["istio_requests_total"] if ("reporter", "source") in labels]
    assert {one["source_workload"] for one in callers} >= {workload}
    assert {one["source_canonical_service"] for one in callers} >= {workload}
    assert name not in {one["source_workload"] for one in callers} - {workload}
    assert {one["source_workload_namespace"] for one in callers if one["source_workload"] == workload} == {"earth"}


@given(st.text(max_size=20))
def test_every_text_can_be_a_label(text):
    line = f'a{{b="{escaped(text)}"}} 1'
    assert "\n" not in line
    assert unescaped(LABEL.fullmatch(f'b="{escaped(text)}"')[2]) == text


@pytest.mark.parametrize("family", [name for name, kind in KINDS.items() if kind == "histogram"])
def test_buckets_are_cumulative_and_the_last_is_the_count(family):
    series = defaultdict(dict)
    for (name, labels), value in FAMILIES[family].items():
        rest = tuple(one for one in labels if one[0] != "le")
        series[rest][name.removeprefix(family), dict(labels).get("le")] = value
    assert len(series) == len(FAMILIES["istio_requests_total"])
    for rest, values in series.items():
        bounds = [bound for suffix, bound in values if suffix == "_bucket"]
        assert [float(bound) for bound in bounds] == [*BUCKETS_MS, float("inf")]
        counts = [values["_bucket", bound] for bound in bounds]
        assert counts == sorted(counts)
        assert counts[-1] == values["_count", None] == FAMILIES["istio_requests_total"]["istio_requests_total", rest]
        assert values["_sum", None] <= sum(
            (after - before) * bound for before, after, bound in zip([0, *counts], counts, [*BUCKETS_MS, 1e12], strict=False)
        )


def test_nothing_comes_of_nothing():
    families, _ = parsed(exposition(traffic(0).calls))
    assert not any(families.values())
