"""A knob set to a share sends that share, whatever the miner."""

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.inference.miners import EdgeOnly, Examples, Observation, build_miner
from skyedge.inference.sweep import KNOBS, set_to_share

SCENES = 2000
LOGITS = np.random.default_rng(1).normal(0, 2, (SCENES, 8)).astype(np.float32)
SEEN = Observation(np.arange(SCENES, dtype=np.int32), LOGITS)
# Truth as a model at temperature 1 has it: drawn by its own probabilities (the Gumbel trick).
EXAMPLES = Examples(LOGITS, LOGITS, (LOGITS + np.random.default_rng(3).gumbel(size=LOGITS.shape)).argmax(axis=1))


def built(name):
    miner = build_miner(name, {"p": 0.0} if name == "ThreeZone" else {})
    return miner.fitted(EXAMPLES) if hasattr(miner, "fitted") else miner


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_every_miner_can_be_set_to_send_the_same_share(name, share):
    # Half as many again were captured, and dropped by the cloud filter.
    miner = set_to_share(built(name), SEEN, SCENES * 3 // 2, share)
    sent = miner.mine(SEEN, np.random.default_rng(2)).send.sum()
    # Random draws anew, with a standard deviation of some 20 scenes; the others are exact but for ties.
    assert abs(sent - share * SCENES * 1.5) < (90 if name == "Random" else 5)


@pytest.mark.parametrize("name", [name for name in KNOBS if name != "Random"])
def test_a_share_that_cannot_be_reached_sends_all_that_there_is_and_none_sends_nothing(name):
    miner = built(name)
    assert set_to_share(miner, SEEN, SCENES * 3, 0.9).mine(SEEN, np.random.default_rng(2)).send.mean() > 0.99
    assert set_to_share(miner, SEEN, SCENES, 0.0).mine(SEEN, np.random.default_rng(2)).send.sum() == 0


def test_a_miner_without_a_knob_says_so():
    with pytest.raises(InputError, match="EdgeOnly has no knob"):
        set_to_share(EdgeOnly(), SEEN, SCENES, 0.1)
