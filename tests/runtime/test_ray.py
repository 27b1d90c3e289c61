"""On a real Ray: the same digits in actors, with a host killed half-way, and jobs spread over workers."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from skyedge.errors import RayUnavailable
from skyedge.experiment.loading import load_experiment
from skyedge.experiment.records import record_of
from skyedge.experiment.run import assemble_arm, fill_tables, run_arm, run_arm_anywhere
from skyedge.runtime.engine import Engine
from skyedge.runtime.ray_cluster import check_labels, cluster
from skyedge.runtime.ray_hosts import RayHost
from skyedge.runtime.run_pool import Job, JobQueue, WorkerLost, run_on_ray

pytestmark = pytest.mark.ray
SMALL = ["time.duration=1d", "space.constellation=constellations/tiansuan.yaml", "space.sites=sites/tiansuan.csv"]

# A machine counts as dead after a second and not after twelve.
QUICK_HEALTH_CHECK = {
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_initial_delay_ms": "1000",
}


@pytest.fixture(scope="module")
def ray():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUICK_HEALTH_CHECK.items():
            patch.setenv(name, value)
        with cluster(None, 2) as started:
            yield started


@pytest.fixture(scope="module")
def world():
    experiment = load_experiment("slice", SMALL)
    record, _ = run_arm(experiment, "collaborative", 0, None)
    return experiment, record


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def living(ray):
    return {node["NodeManagerAddress"]: node["NodeID"] for node in ray.nodes() if node["Alive"]}


@pytest.fixture(scope="module")
def second_machine(ray):
    """A second raylet, on an address of its own; its process group can be killed like a machine (once)."""
    head = ray.get_runtime_context().gcs_address
    command = [str(Path(sys.executable).with_name("ray")), "start", f"--address={head}", "--node-ip-address=127.0.0.3"]
    modest = [
        "--num-cpus=1",
        "--labels=tier=satellite",
        f"--object-store-memory={100 << 20}",
        f"--memory={1 << 30}",
        "--disable-usage-stats",
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, *modest, "--block"], start_new_session=True, **quiet)
    try:
        wait_for(lambda: "127.0.0.3" in living(ray))
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_for(lambda: "127.0.0.3" not in living(ray))


def run_on_hosts(ray, experiment, count, name, at_window_forty):
    """The run in ``count`` actors, dealt over the machines; ``at_window_forty`` is given the actors."""
    prepared, assembly = assemble_arm(experiment, "collaborative", 0, None)
    fill_tables(assembly, prepared.executor)
    host_of = assembly.host_of("grouped", count)
    builders = assembly.builders(host_of, prepared.executor.frozen())
    hosts = [RayHost(ray, f"{name}-{number}", build, place=number) for number, build in enumerate(builders)]

    def on_window(window):
        if window == 40:
            at_window_forty(hosts)

    engine = Engine(hosts, host_of, assembly.channels, assembly.end, checkpoint_every_windows=15, on_window=on_window)
    try:
        outcome = engine.run()
    finally:
        for host in hosts:
            host.stop()
    return outcome, record_of("collaborative", 0, "", assembly.start, outcome, {})


def same(first, second):
    assert list(first.ledger.rows()) == list(second.ledger.rows())
    for name in first.answers:
        assert np.array_equal(first.answers[name], second.answers[name])
    assert first.energy == second.energy


def test_two_hosts_on_ray_give_the_same_digits_also_when_one_is_killed(ray, world):
    experiment, alone = world
    killed = []

    def kill_the_sky(hosts):
        process, _ = hosts[1].process()
        os.kill(process, signal.SIGKILL)
        killed.append(process)

    outcome, record = run_on_hosts(ray, experiment, 2, "killed", kill_the_sky)
    assert killed
    assert outcome.recoveries >= 1
    assert 40 < outcome.windows < 3000
    same(record, alone)


def test_a_host_can_be_pinned_to_a_label(ray, world, second_machine):
    experiment, _ = world
    prepared, assembly = assemble_arm(experiment, "in-orbit", 0, None)
    (build,) = assembly.builders(assembly.host_of("grouped", 1), prepared.executor.frozen())
    host = RayHost(ray, "pinned", build, labels={"tier": "satellite"})
    assert host.process()[1] == living(ray)["127.0.0.3"]
    host.stop()


@pytest.mark.slow
def test_hosts_live_on_both_machines_and_move_when_one_is_lost_without_changing_a_digit(ray, world, second_machine):
    experiment, alone = world
    lived_on = []

    def lose_the_second_machine(hosts):
        lived_on.extend(host.process()[1] for host in hosts)
        os.killpg(second_machine.pid, signal.SIGKILL)

    machines = living(ray)
    check_labels(ray, {"tier": "satellite"})
    outcome, record = run_on_hosts(ray, experiment, 3, "moved", lose_the_second_machine)
    assert lived_on == [machines["127.0.0.2"], machines["127.0.0.3"], machines["127.0.0.2"]]
    assert outcome.recoveries >= 1
    same(record, alone)


def test_a_worker_that_does_not_see_the_folder_of_the_driver_does_without_its_cache(world, tmp_path):
    experiment, alone = world
    elsewhere = tmp_path / "of another machine" / "cache"
    record, _ = run_arm_anywhere(experiment, "collaborative", 0, elsewhere)
    same(record, alone)
    assert not elsewhere.exists()


def double(value):
    return 2 * value


def test_jobs_are_spread_over_workers_and_all_come_back(ray):
    jobs = [Job(number % 3, (number,)) for number in range(12)]
    done = {job.arguments[0]: result for job, result in run_on_ray(ray, double, jobs, 2)}
    assert done == {number: 2 * number for number in range(12)}


def die_at_three(folder, number, attempts):
    """Twice ``number``; but the first ``attempts`` times that it is called with 3 it takes its process down."""
    tried = folder / f"{number}-tried"
    with tried.open("a") as stream:
        stream.write("x")
    if number == 3 and len(tried.read_text()) <= attempts:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_a_job_whose_worker_is_killed_is_done_by_another(ray, tmp_path):
    jobs = [Job(number % 2, (tmp_path, number, 1), f"job {number}") for number in range(6)]
    done = {job.arguments[1]: result for job, result in run_on_ray(ray, die_at_three, jobs, 2)}
    assert done == {number: 2 * number for number in range(6)}
    assert (tmp_path / "3-tried").read_text() == "xx"


def test_a_job_that_kills_its_worker_twice_is_named(ray, tmp_path):
    jobs = [Job(number % 2, (tmp_path, number, 2), f"job {number}") for number in range(6)]
    with pytest.raises(WorkerLost, match="job 3: its worker died twice"):
        list(run_on_ray(ray, die_at_three, jobs, 2))
    wait_for(lambda: ray.available_resources().get("CPU") == ray.cluster_resources()["CPU"])


def test_a_cluster_whose_cores_are_taken_is_said_after_some_patience(ray):
    class Taker:
        def is_there(self):
            return True

    taker = ray.remote(num_cpus=2)(Taker).remote()
    ray.get(taker.is_there.remote())
    try:
        with pytest.raises(RayUnavailable, match="no worker has started within 1 s: 0 of the cluster's 2 cores are free"):
            list(run_on_ray(ray, double, [Job(0, (1,))], 1, patience_s=1.0))
    finally:
        ray.kill(taker)


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
