"""Predictions are made once and kept, and half a file of them is not taken for a whole one."""

import numpy as np

from skyedge.runtime.model_executor import ModelExecutor

PICTURES = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)


class Brightness:
    """A model whose logits are the brightness of the picture, and which counts its pictures."""

    digest = "brightness"

    def __init__(self):
        self.seen = 0

    def logits(self, tiles):
        self.seen += len(tiles)
        bright = tiles.mean(axis=(1, 2, 3), dtype=np.float32)
        return np.stack([bright, -bright], axis=1)


def executor(model, folder):
    return ModelExecutor({"small": model}, lambda view: PICTURES, "pictures", folder)


def test_a_model_sees_each_picture_once_however_often_and_by_whom_it_is_asked(tmp_path):
    model = Brightness()
    first = executor(model, tmp_path)
    rows = np.array([3, 1], np.int32)
    assert np.array_equal(first.logits("small", "camera", rows), model.logits(PICTURES)[rows])
    model.seen = 0
    first.logits("small", "camera", rows)
    executor(model, tmp_path).logits("small", "camera", rows)
    assert model.seen == 0


def test_a_table_that_a_crash_cut_short_is_made_again(tmp_path):
    whole = executor(Brightness(), tmp_path).table("small", "camera")
    (kept,) = tmp_path.glob("*.npy")
    for size in (0, 20, kept.stat().st_size - 8):
        kept.write_bytes(kept.read_bytes()[:size])
        assert np.array_equal(executor(Brightness(), tmp_path).table("small", "camera"), whole)
