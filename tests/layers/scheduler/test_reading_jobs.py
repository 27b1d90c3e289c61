"""A job becomes what Volcano's controller would make of it: a gang, and the pods of each task."""

from skyedge.layers.scheduler.objects import GroupPhase, PodPhase
from tests.layers.scheduler.written_clusters import job, node, pod, priority, queue, read


def test_a_job_unfolds_into_a_gang_and_its_pods():
    tasks = [("ps", 1, 2, {}), ("worker", 3, 4, {"minAvailable": 2})]
    snapshot = read(node("n"), queue("q"), job("train", tasks, queue="q"))
    assert snapshot.pods.names == ("default/train-ps-0", *(f"default/train-worker-{n}" for n in range(3)))
    assert snapshot.pods.role == ("ps", "worker", "worker", "worker")
    assert snapshot.groups.names == ("default/train",)
    assert snapshot.groups.min_member.tolist() == [3], "what the tasks need at least, when the job does not say"
    assert dict(snapshot.groups.min_task_member[0]) == {"ps": 1, "worker": 2}
    assert snapshot.groups.phase.tolist() == [GroupPhase.PENDING]


def test_the_least_resources_of_a_job_are_those_of_its_most_important_tasks():
    tasks = [("low", 4, 1, {}), ("high", 2, 3, {"pod": {"priorityClassName": "urgent"}})]
    snapshot = read(node("n"), priority("urgent", 10), job("j", tasks, minAvailable=3))
    assert snapshot.amounts(snapshot.groups.min_resources[0]) == {"cpu": 2 * 3000 + 1000, "pods": 3000}


def test_pods_of_a_job_that_are_there_are_not_made_again():
    uid = {"uid": "77"}
    there = pod("j-t-0", 2, "j-77", nodeName="n", status={"phase": "Running"})
    snapshot = read(node("n"), there, job("j", [("t", 3, 2, {})], metadata=uid))
    assert snapshot.groups.names == ("default/j-77",)
    assert sorted(snapshot.pods.names) == [f"default/j-t-{n}" for n in range(3)]
    assert sorted(snapshot.pods.phase.tolist()) == [PodPhase.PENDING, PodPhase.PENDING, PodPhase.RUNNING]


def test_a_finished_job_starts_no_more_pods():
    done = job("j", [("t", 3, 2, {})]) | {"status": {"state": {"phase": "Completed"}}}
    assert len(read(node("n"), done).pods) == 0
