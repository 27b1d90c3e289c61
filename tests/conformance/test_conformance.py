"""Each case of the peers is a test; what is missed is listed with its reason, and must really be missed."""

from dataclasses import replace
from pathlib import Path

import pytest
from adapters import ADAPTERS
from cases import Case, read_cases
from run import Result, run_case

HERE = Path(__file__).parent
FILES = ("volcano.json", "computed.json", "karmada.json", "karmada_tables.json", "istio.json", "istio_tables.json")

MISSES: dict[str, str] = {
    **{
        f"envoy-t-ring-hash-pick-{number}": "who has a place in a ring too small for all goes by name, not by order of input"
        for number in range(35, 42)
    },
    "istio-t-gateway-hosts-08": "names of hosts have no case, at a gateway neither",
    "istio-t-merged-routes-01": "a delegate that is not there is an error, and not passed over",
    "istio-t-merged-routes-07": "a delegate that is not there is an error, and not passed over",
    "istio-t-mesh-findings-10": "a destination without a port keeps the port of the call, as it does for a proxy",
    "istio-t-mesh-findings-41": "of two wildcards the longer counts, so that neither takes the other's place",
    "istio-t-mesh-findings-42": "of two wildcards the longer counts, so that neither takes the other's place",
    "istio-t-mesh-findings-47": "a prefix takes what an exact path behind it asks for, too",
    "karmada-t-affinity-23": "an operator that there is not is an error, not a condition that nothing meets",
    "karmada-t-affinity-33": "a field that there is not is an error, not a condition that nothing meets",
    "karmada-t-stripped-hook-02": "a Job keeps its time to live: nothing here would clean up after it",
    "karmada-t-reschedule-01": "files often come without status: who runs and is asked anew is divided anew",
    "karmada-t-verdict-cluster-03": "a cluster that does not say how it is watched is watched as its origin has it",
    "karmada-t-verdict-cluster-22": "grades tell of any resource, for GPUs are what a federation here divides",
    "karmada-t-verdict-fhpa-object-03": "who names no namespace means 'default', as for kubectl",
    "karmada-t-verdict-propagation-spec-14": "preemption is not modelled, which a warning says: nothing of it is checked",
    "karmada-t-verdict-propagation-spec-15": "a suspension is not modelled, which a warning says: nothing of it is checked",
}
"""Advanced cases that skyedge does not pass, by id, with the reason."""

CASES = [case for name in FILES for case in read_cases(HERE / name)]


def _parameter(case: Case):
    missed = [pytest.mark.xfail(reason=MISSES[case.id], strict=True)] if case.id in MISSES else []
    return pytest.param(case, id=case.id, marks=missed)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_skyedge_answers_as_the_peer_does(case):
    result = run_case(case)
    assert result.passed, f"expected {dict(case.expected)}, got {result.got}"


def test_only_advanced_cases_may_be_missed():
    tiers = {case.id: case.tier for case in CASES}
    assert {tiers.get(case) for case in MISSES} <= {"advanced"}


@pytest.fixture(scope="module")
def sessions() -> list[Result]:
    return [run_case(case) for case in CASES if case.kind == "session"]


def test_most_sessions_need_an_action(sessions):
    idle = sum(result.passes_idle is True for result in sessions)
    assert 0 < idle < len(sessions) / 2


def test_doing_nothing_binds_and_evicts_nothing(sessions):
    for result in sessions:
        acts = any(result.case.expected.get(key) for key in ("binds", "bind_count", "evicted", "pipelined"))
        assert not (acts and result.passes_idle), result.case.id


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.kind == "session"])
def test_the_order_of_the_input_does_not_matter(case):
    things = ("nodes", "pods", "pod_groups", "queues", "hypernodes")
    turned = {key: value[::-1] if key in things else value for key, value in case.input.items()}
    assert run_case(replace(case, input=turned)).got == run_case(case).got


def test_among_jobs_alike_the_least_pod_goes_first_whatever_the_names():
    victims = [{"id": name, "job_priority": 0, "pod_priority": priority} for name, priority in (("a", 1), ("b", 100))]
    given = {"victims": victims, "preemptor_job_known": True}
    assert ADAPTERS["victim_order_first"](given) == {"first_victim": "a"}
