"""Published figures of the MMLU router benchmark of Ianvs, replayed as outcomes.

N = 14,042 questions; the counts of (cloud better, both right, edge better, both wrong) follow from the published
accuracies and edge ratios of Qwen2.5 at the edge and gpt-4o-mini in the cloud.
"""

import numpy as np
import pytest

from skyedge.inference.miners import Observation, build_miner

COUNTS = {"7B": (1738, 8932, 1156, 2216), "3B": (3152, 7518, 949, 2422), "1.5B": (3353, 7317, 876, 2495)}
PUBLISHED = [
    ("7B", "Oracle", 84.22, 87.62),
    ("3B", "Oracle", 82.75, 77.55),
    ("1.5B", "Oracle", 82.22, 76.12),
    ("7B", "EdgeOnly", 71.84, 100.0),
    ("3B", "EdgeOnly", 60.30, 100.0),
    ("1.5B", "EdgeOnly", 58.35, 100.0),
    ("7B", "CloudOnly", 75.99, 0.0),
]


@pytest.mark.parametrize(("edge", "router", "accuracy", "edge_ratio"), PUBLISHED)
def test_a_router_reproduces_its_published_row(edge, router, accuracy, edge_ratio):
    better, both, worse, neither = COUNTS[edge]
    edge_right = np.repeat([False, True, True, False], [better, both, worse, neither])
    cloud_right = np.repeat([True, True, False, False], [better, both, worse, neither])
    observation = Observation(np.arange(len(edge_right), dtype=np.int32), None, cloud_right & ~edge_right)
    sent = build_miner(router, {}).mine(observation, np.random.default_rng(0)).send
    assert abs(100 * np.where(sent, cloud_right, edge_right).mean() - accuracy) < 0.015
    assert abs(100 * (1 - sent.mean()) - edge_ratio) < 0.015
