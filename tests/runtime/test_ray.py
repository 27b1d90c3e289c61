"""On a real Ray: the same digits in actors, with a host killed half-way, and jobs spread over workers."""

import os
import signal

import pytest

from skyedge.errors import RayUnavailable
from skyedge.experiment.loading import load_experiment
from skyedge.experiment.run import assemble_arm, fill_tables, run_arm
from skyedge.runtime.engine import Engine
from skyedge.runtime.ray_cluster import check_labels, cluster
from skyedge.runtime.ray_hosts import RayHost
from skyedge.runtime.run_pool import Job, JobQueue, run_on_ray

pytestmark = pytest.mark.ray
SMALL = ["time.duration=1d", "space.constellation=constellations/tiansuan.yaml", "space.sites=sites/tiansuan.csv"]


@pytest.fixture(scope="module")
def ray():
    with cluster(None, 2) as started:
        yield started


@pytest.fixture(scope="module")
def world():
    experiment = load_experiment("slice", SMALL)
    record, _ = run_arm(experiment, "collaborative", 0, None)
    return experiment, record


def test_two_hosts_on_ray_give_the_same_digits_also_when_one_is_killed(ray, world):
    experiment, alone = world
    prepared, assembly = assemble_arm(experiment, "collaborative", 0, None)
    fill_tables(assembly, prepared.executor)
    host_of = assembly.host_of("grouped", 2)
    tables = prepared.executor.frozen()
    hosts = [RayHost(ray, f"test-{n}", build) for n, build in enumerate(assembly.builders(host_of, tables))]
    killed = []

    def kill_the_sky_at_window_forty(window):
        if window == 40:
            process, _ = hosts[1].process()
            os.kill(process, signal.SIGKILL)
            killed.append(process)

    engine = Engine(
        hosts, host_of, assembly.channels, assembly.end, checkpoint_every_windows=15, on_window=kill_the_sky_at_window_forty
    )
    try:
        outcome = engine.run()
    finally:
        for host in hosts:
            host.stop()
    assert killed
    assert outcome.recoveries >= 1
    assert 40 < outcome.windows < 3000
    assert list(outcome.ledger.rows()) == list(alone.ledger.rows())


def double(value):
    return 2 * value


def test_jobs_are_spread_over_workers_and_all_come_back(ray):
    jobs = [Job(number % 3, (number,)) for number in range(12)]
    done = {job.arguments[0]: result for job, result in run_on_ray(ray, double, jobs, 2)}
    assert done == {number: 2 * number for number in range(12)}


def test_a_label_that_no_machine_has_is_said_at_once(ray):
    with pytest.raises(RayUnavailable, match="satellite"):
        check_labels(ray, {"tier": "satellite"})


def test_a_worker_keeps_its_group_and_helps_the_longest_when_it_is_done():
    queue = JobQueue([Job("a", (1,)), Job("a", (2,)), Job("b", (3,))])
    first = queue.next_for(None)
    second = queue.next_for(None)
    assert (first.group, second.group) == ("a", "b")
    assert queue.next_for("b").group == "a"
    assert queue.next_for("a") is None
