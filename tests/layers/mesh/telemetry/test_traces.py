import json
import re

import pytest

from skyedge.errors import InputError
from skyedge.layers.mesh.telemetry import traces
from skyedge.layers.mesh.telemetry.traces import CLIENT, INTERNAL, SERVER
from skyedge.layers.mesh.traffic.calls import NEVER
from tests.layers.mesh.telemetry.traffic_of_two import BACK, FRONT, traffic

CALLS = traffic().calls


def spans_of(export):
    """Spans by identity, after a strict look at every field of OTLP's JSON."""
    found = {}
    assert set(export) == {"resourceSpans"}
    for resource in export["resourceSpans"]:
        assert set(resource) == {"resource", "scopeSpans"}
        service = attributes(resource["resource"]["attributes"])["service.name"]
        for scope in resource["scopeSpans"]:
            assert set(scope["scope"]) == {"name"}
            for span in scope["spans"]:
                assert set(span) - {"parentSpanId"} == {
                    *("traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status")
                }
                assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
                assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
                assert span["kind"] in (INTERNAL, SERVER, CLIENT)
                assert re.fullmatch("[0-9]+", span["startTimeUnixNano"])
                assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
                assert span["status"] in ({}, {"code": 2})
                assert span["spanId"] not in found
                found[span["spanId"]] = span | {"attributes": attributes(span["attributes"]), "service": service}
    return found


def attributes(values):
    said = {}
    for one in values:
        ((kind, value),) = one["value"].items()
        assert one["key"] not in said
        assert isinstance(value, {"stringValue": str, "intValue": str, "boolValue": bool}[kind])
        said[one["key"]] = int(value) if kind == "intValue" else value
    return said


SPANS = spans_of(json.loads(json.dumps(traces(CALLS))))


def test_there_is_a_span_for_each_request_attempt_and_arrival():
    kinds = [span["kind"] for span in SPANS.values()]
    assert kinds.count(INTERNAL) == len(CALLS.requests)
    assert kinds.count(CLIENT) == len(CALLS.attempts)
    assert kinds.count(SERVER) == (CALLS.attempts.arrived_us != NEVER).sum()


def test_each_trace_is_one_tree_and_parents_hold_their_children():
    roots = [span for span in SPANS.values() if "parentSpanId" not in span]
    assert len({span["traceId"] for span in roots}) == len(roots) == 300
    above = {INTERNAL: SERVER, CLIENT: INTERNAL, SERVER: CLIENT}
    for span in SPANS.values():
        if "parentSpanId" in span:
            parent = SPANS[span["parentSpanId"]]
            assert parent["traceId"] == span["traceId"]
            assert parent["kind"] == above[span["kind"]]
            assert int(parent["startTimeUnixNano"]) <= int(span["startTimeUnixNano"])
            if "mesh.mirror" not in span["attributes"] and "mesh.mirror" not in parent["attributes"]:
                assert int(span["endTimeUnixNano"]) <= int(parent["endTimeUnixNano"])


def test_attributes_are_those_of_the_conventions():
    servers = [span for span in SPANS.values() if span["kind"] == SERVER]
    assert {span["service"] for span in servers} == {FRONT, BACK}
    root = next(span for span in SPANS.values() if "parentSpanId" not in span)
    assert root["attributes"]["http.request.method"] == "POST"
    assert (root["attributes"]["url.path"], root["attributes"]["url.query"]) == ("/buy", "what=maps")
    resent = [span["attributes"].get("http.request.resend_count", 0) for span in SPANS.values() if span["kind"] == CLIENT]
    assert sorted(set(resent)) == sorted(set(CALLS.attempts.retry.tolist()))
    for span in SPANS.values():
        status = span["attributes"]["http.response.status_code"]
        bad = status >= (500 if span["kind"] == SERVER else 400)
        assert (span["status"] == {"code": 2}) is bad
        assert (span["attributes"].get("error.type") == str(status)) is (status >= 400)


def test_a_larger_share_samples_what_a_smaller_one_did_and_whole_traces():
    few, many = (spans_of(traces(CALLS, share)) for share in (0.2, 0.6))
    assert set(few) < set(many) < set(SPANS)
    chosen = {span["traceId"] for span in few.values()}
    assert len(chosen) / 300 == pytest.approx(0.2, abs=0.07)
    assert set(few) == {identity for identity, span in SPANS.items() if span["traceId"] in chosen}
    assert spans_of(traces(CALLS, 0)) == {}


def test_the_same_seed_gives_the_same_text_and_time_can_begin_anywhere():
    assert json.dumps(traces(traffic().calls, 0.5)) == json.dumps(traces(CALLS, 0.5))
    later = spans_of(traces(CALLS, start_unix_ns=10**18))
    assert all(
        int(span["startTimeUnixNano"]) == int(SPANS[one]["startTimeUnixNano"]) + 10**18 for one, span in later.items()
    )


def test_a_share_beyond_all_is_refused():
    with pytest.raises(InputError, match="from 0 to 1"):
        traces(CALLS, 1.5)
