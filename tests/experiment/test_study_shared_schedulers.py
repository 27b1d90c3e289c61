"""Several schedulers: the same backlog for all, one alone is as quick as one, and none gains more than their number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.experiment.studies.shared_schedulers import SharedSchedulers, SharedSchedulersParameters, backlog
from skyedge.experiment.study_loading import load_study, parameters_of
from skyedge.experiment.study_run import run_arm

TINY = ["parameters.nodes=10", "parameters.batch_pods=20"]


def test_every_arm_has_the_same_backlog():
    study = load_study("shared-schedulers", TINY)
    snapshots = [backlog(parameters_of(study, arm), 1) for arm in study.arms]
    assert all(one.pods.names == snapshots[0].pods.names for one in snapshots)
    assert all(
        np.array_equal(one.request[one.pods.shape], snapshots[0].request[snapshots[0].pods.shape]) for one in snapshots
    )


def test_one_scheduler_alone_neither_gains_nor_conflicts():
    figures = run_arm(load_study("shared-schedulers", TINY), "one", 0).figures
    assert (figures["speed_up"], figures["efficiency"], figures["conflicts"]) == (1, 1, 0)
    assert 0.8 < figures["placed"] < 1


@settings(max_examples=25)
@given(
    schedulers=st.integers(1, 6),
    sharding=st.sampled_from(["none", "soft", "hard"]),
    node_order=st.sampled_from(["binpack", "nodeorder"]),
    batch=st.integers(1, 60),
    seed=st.integers(0, 5),
)
def test_no_number_of_schedulers_gains_more_than_that_number(schedulers, sharding, node_order, batch, seed):
    parameters = SharedSchedulersParameters(
        nodes=6, demand=0.8, schedulers=schedulers, sharding=sharding, node_order=node_order, batch_pods=batch
    )
    figures = SharedSchedulers().run(parameters, seed).figures
    assert figures["speed_up"] <= schedulers + 1e-9
    assert 0 < figures["placed"] <= 1
    assert figures["busiest_pods"] <= figures["rounds"] * (
        batch + 15
    )  # a batch ends with the gang that fills it, of 16 at most
    assert schedulers > 1 or figures["conflicts"] == 0


def test_shares_of_the_nodes_end_the_conflicts_of_packing():
    study = load_study("shared-schedulers", [*TINY, "parameters.demand=0.5"])
    whole, hard = (run_arm(study, arm, 0).figures for arm in ("two", "two-hard"))
    assert hard["conflicts"] == 0 < whole["conflicts"]
    assert whole["speed_up"] < hard["speed_up"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [("parameters.sharding=mild", "sharding"), ("parameters.schedulers=0", "schedulers"), ("parameters.nods=3", "nods")],
)
def test_bad_parameters_are_answered_with_one_sentence(override, sentence):
    with pytest.raises(InputError) as caught:
        load_study("shared-schedulers", [override])
    assert sentence in str(caught.value)
    assert "\n" not in caught.value.message
