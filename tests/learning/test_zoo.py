"""The zoo's models are what their cards say, whatever the batch."""

from itertools import repeat

import numpy as np
import pytest
import torch

from skyedge.earth import CLASSES, EVALUATE, Earth
from skyedge.earth.camera import Camera
from skyedge.earth.imagery import MONTHS
from skyedge.errors import InputError
from skyedge.learning.card import Recipe, read_card
from skyedge.learning.curriculum import EVALUATE_PER_CLASS
from skyedge.learning.data import Archive, make_pictures
from skyedge.learning.networks import ResidualNet, TinyNet
from skyedge.learning.quantise import quantise
from skyedge.learning.training import as_input, train
from skyedge.learning.zoo import check_same_classes, load_model
from skyedge.resources import folder
from skyedge.streams import stream

NAMES = ("flight-small", "flight-small-archive", "cloud-filter", "edge-medium", "ground-large")
TILES = np.random.default_rng(0).integers(0, 256, (150, 16, 16, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_tells_the_truth_about_its_weights(name):
    card, _ = read_card(name)
    for replica in range(len(card.weights)):
        model = load_model(name, replica)
        assert model.digest[:16] == card.measured["digests"][replica]
        assert model.parameters == card.measured["parameters"]
    if card.task == "land-cover":
        assert card.classes == CLASSES


def test_all_weights_together_are_below_five_megabytes():
    assert sum(path.stat().st_size for path in (folder("models") / "weights").iterdir()) < 5_000_000


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_does_not_depend_on_the_batch(name):
    model = load_model(name)
    together = model.logits(TILES)
    assert np.array_equal(model.logits(TILES[40:47]), together[40:47])
    assert np.array_equal(model.logits(TILES[::-1])[::-1], together)


def test_the_measured_accuracy_is_found_again_on_other_skies():
    earth, camera = Earth.load(), Camera()
    # the same mix of classes as on the card: as many places of each at most
    pictures = make_pictures(earth, camera, EVALUATE, MONTHS[:2], EVALUATE_PER_CLASS, 999)
    card, _ = read_card("flight-small")
    accuracy = np.mean(
        [(load_model("flight-small", r).logits(pictures.tiles).argmax(axis=1) == pictures.label).mean() for r in range(5)]
    )
    expected = np.mean([card.measured["accuracy_by_month"][str(month)] for month in MONTHS[:2]])
    assert abs(accuracy - expected) < 0.05


def _batches(labels):
    chances = np.eye(4, dtype=np.float32)[labels]
    return repeat((TILES, chances))


def test_int8_agrees_with_the_network_it_was_made_from():
    network = TinyNet(4)
    recipe = Recipe(name="t", months=(7,), per_class=1, steps=40, learning_rate=0.01)
    labels = (TILES.mean(axis=(1, 2, 3)) > 127).astype(np.int64) + 2 * (TILES[:, 0, 0, 0] > 127)
    train(network, _batches(labels), recipe, stream(0, "t", "training"))
    with torch.inference_mode():
        exact = network(as_input(TILES)).numpy()
    rounded = quantise(network, TILES).forward(TILES)
    assert (exact.argmax(axis=1) == rounded.argmax(axis=1)).mean() > 0.9


def test_a_narrow_network_trains_on_large_tiles_without_ending_the_process():
    tiles = np.random.default_rng(1).integers(0, 256, (128, 48, 48, 3)).astype(np.uint8)
    network = ResidualNet(4, (8, 16))
    before = network.dense.bias.detach().clone()
    recipe = Recipe(name="t", months=(7,), per_class=1, steps=2, learning_rate=0.01)
    train(network, repeat((tiles, np.eye(4, dtype=np.float32)[np.arange(128) % 4])), recipe, stream(0, "t", "training"))
    assert not torch.equal(network.dense.bias, before)


def test_training_twice_gives_the_same_weights():
    recipe = Recipe(name="t", months=(7,), per_class=1, steps=5, learning_rate=0.01)
    both = []
    for _ in range(2):
        network = TinyNet(4)
        train(network, _batches(np.arange(len(TILES)) % 4), recipe, stream(3, "t", "training"))
        both.append(network.dense.weight.detach().numpy().copy())
    assert np.array_equal(*both)


def test_an_archive_shows_each_place_under_many_skies_and_teaches_the_shares_of_its_classes():
    archive = Archive.of(Earth.load(), Camera(), (7,), 20, 0)
    assert (archive.cover <= 0.5).all()
    assert np.allclose(archive.shares.sum(axis=1), 1, atol=1e-5)
    batches = archive.batches(64, stream(0, "t", "training"))
    tiles, on_picture = next(batches)
    again, _ = next(batches)
    assert tiles.shape == (64, 16, 16, 3)
    assert on_picture.shares.shape == (64, archive.shares.shape[1])
    assert not np.array_equal(tiles, again)


def card_text(**changes):
    lines = {"apiVersion": "skyedge/v1", "kind": "Model", "name": "mine", "task": "land-cover", "format": "module"}
    return "\n".join(f"{k}: {v}" for k, v in {**lines, "classes": "[a, b]", "architecture": "tiny", **changes}.items())


def test_a_users_own_network_plugs_in_by_import_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(card_text(architecture="skyedge.learning.networks:ResidualNet", arguments="{widths: [8, 8]}"))
    assert load_model(path).logits(TILES[:3]).shape == (3, 2)
    with pytest.raises(InputError, match="different classes"):
        check_same_classes([load_model("flight-small"), load_model(path)])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "tinny"}, "did you mean 'tiny'"),
        ({"recipy": "{}"}, "did you mean 'recipe'"),
        ({"format": "int8"}, "has no weights yet"),
        ({"format": "float16", "weights": "[none.safetensors]"}, "missing"),
    ],
)
def test_a_wrong_card_is_answered_with_a_sentence(tmp_path, changes, words):
    path = tmp_path / "mine.yaml"
    path.write_text(card_text(**changes))
    with pytest.raises(InputError, match=words):
        load_model(path)
