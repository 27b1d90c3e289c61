"""A user's own data set, from the folder to the report: trained on, flown and kept apart."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from skyedge.earth import CALIBRATE, CLASSES, EVALUATE, TRAIN, Earth
from skyedge.earth.camera import Camera
from skyedge.earth.tile_folder import TileFolder
from skyedge.errors import InputError
from skyedge.experiment.fleet import load_fleet
from skyedge.experiment.loading import canonical, load_experiment
from skyedge.experiment.metrics import confusion, measure, worth_answering
from skyedge.experiment.outcome import conclude
from skyedge.experiment.report import write_report
from skyedge.experiment.run import prepare, record_path, run_experiment
from skyedge.experiment.world import make_world, tile_folder, tiles_shown
from skyedge.learning.curriculum import train_card
from skyedge.learning.data import FolderSource
from skyedge.streams import stream
from skyedge.time import parse_duration

NAMES = ("bog & fen", "dunes", "terraces")
SIZE_PX = 20
EXPERIMENT = """
extends: slice.yaml
metadata: {name: own-imagery, description: Tiles of a folder.}
time: {duration: 2d}
space: {constellation: constellations/tiansuan.yaml, sites: sites/tiansuan.csv}
arms: {collaborative: {set: {pipeline.miner: {name: CrossEntropy, set_to_share: 0.3}}}}
imagery: {folder: tiles, camera: {thumbnail_px: 20}}
models: {on_board: SMALL, on_board_archive: SMALL, edge: LARGE, ground: LARGE}
"""


def texture(label, draw):
    across = np.arange(32)
    shape = [
        np.zeros((32, 32)) + draw.normal(0, 0.4, (32, 32)),
        np.sin(across[None] / 2 + draw.uniform(0, 6)) * np.ones((32, 1)),
        np.sign(np.sin(across / 3 + draw.uniform(0, 6)))[:, None] * np.sign(np.sin(across / 3))[None],
    ][label]
    colour = np.array([(80, 110, 90), (125, 112, 85), (115, 108, 95)][label])
    return np.clip(colour + 45 * shape[..., None] + draw.normal(0, 8, (32, 32, 3)), 0, 255).astype(np.uint8)


def card(name, **changes):
    recipe = {
        "name": name,
        "folder": "tiles",
        "per_class": 100,
        "steps": 100,
        "learning_rate": 0.02,
        "thumbnail_px": SIZE_PX,
    }
    content = {
        "name": name,
        "task": "classification",
        "classes": list(NAMES),
        "recipe": {**recipe, **changes.pop("recipe", {})},
    }
    small = {"format": "int8", "architecture": "tiny", "arguments": {"widths": [4], "strides": [2]}}
    return yaml.safe_dump({**content, **small, **changes})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with tiles, two trained cards and an experiment, each beside the others."""
    place = tmp_path_factory.mktemp("own")
    draw = np.random.default_rng(0)
    for label, name in enumerate(NAMES):
        (place / "tiles" / name).mkdir(parents=True)
        for number in range(40):
            Image.fromarray(texture(label, draw)).save(place / "tiles" / name / f"{number:02d}.png")
    (place / "small.yaml").write_text(card("small"))
    (place / "large.yaml").write_text(
        card(
            "large",
            format="float16",
            architecture="residual",
            arguments={"widths": [8, 16]},
            recipe={"steps": 60, "augment": "strong"},
        )
    )
    for name in ("small", "large"):
        train_card(place / f"{name}.yaml", [0], Camera())
    text = EXPERIMENT.replace("SMALL", str(place / "small.yaml")).replace("LARGE", str(place / "large.yaml"))
    (place / "own.yaml").write_text(text)
    return place


@pytest.fixture(scope="module")
def flown(place):
    experiment = load_experiment(place / "own.yaml")
    runs = {record.arm: (record, scenes) for record, scenes in run_experiment(experiment, place / "out", resume=False)}
    deadline = parse_duration(experiment.pipeline.deadline)
    world = prepare(experiment, 0, place / "out" / "cache").world
    return experiment, world, runs, {arm: measure(r, s, deadline, world.end) for arm, (r, s) in runs.items()}


def test_training_measures_every_class_of_the_folder_on_tiles_it_has_not_seen(place):
    for name in ("small", "large"):
        measured = yaml.safe_load((place / f"{name}.yaml").read_text())["measured"]
        assert tuple(measured["accuracy_by_class"]) == NAMES
        assert measured["accuracy"] > 0.75  # a third by chance
        assert measured["accuracy_by_month"] == measured["accuracy_by_climate_zone"] == {}
        assert measured["pictures"] > 400


def test_training_again_from_the_card_gives_the_same_weights(place, tmp_path):
    for name in ("tiles", "small.yaml"):
        copy = shutil.copytree if (place / name).is_dir() else shutil.copy
        copy(place / name, tmp_path / name)
    train_card(tmp_path / "small.yaml", [0], Camera())
    weights = "weights/small-0.safetensors"
    assert (tmp_path / weights).read_bytes() == (place / weights).read_bytes()


def test_the_fleet_tells_the_users_classes_apart_and_the_big_model_adds_to_it(flown):
    _, _, _, metrics = flown
    assert metrics["in-orbit"].figures["scored_scenes"] > 100
    assert metrics["in-orbit"].figures["accuracy"] > 0.65
    assert metrics["in-orbit"].figures["macro_f1"] > 0.65
    assert metrics["collaborative"].figures["answered_by_ground"] > 0.3
    assert metrics["collaborative"].figures["accuracy"] > metrics["in-orbit"].figures["accuracy"] + 0.03


def test_the_fleet_takes_the_same_captures_as_over_the_earth(flown):
    experiment, world, _, _ = flown
    earth = experiment.model_copy(update={"imagery": experiment.imagery.model_copy(update={"folder": None})})
    other = make_world(earth, 0)
    for column in ("captured_at", "lat_deg", "split", "sun_elevation_deg", "cloud_cover", "cloudy"):
        assert np.array_equal(getattr(world.scenes, column), getattr(other.scenes, column))
    assert (world.classes, other.classes) == (NAMES, CLASSES)


def test_scenes_show_tiles_of_their_own_split_and_have_their_labels(flown):
    experiment, world, _, _ = flown
    folder, scenes = tile_folder(experiment), world.scenes
    shown = tiles_shown(folder, scenes, world.constellation.names, 0)
    for split in (TRAIN, CALIBRATE, EVALUATE):
        assert (folder.split[shown[scenes.split == split]] == split).all()
        assert (scenes.split == split).sum() > 50
    assert (folder.split[shown[scenes.split < 0]] == TRAIN).all()
    assert np.array_equal(scenes.label, folder.label[shown])
    # a tile, dimmed by a low sun and with noise on it, is what is on a picture under a clear sky
    clear = np.flatnonzero(scenes.cloud_cover == 0)[:200]
    tiles = folder.tiles(SIZE_PX).reshape(len(folder.files), -1).astype(float)
    for scene in clear:
        likeness = [np.corrcoef(world.pictures[scene].ravel(), tile)[0, 1] for tile in tiles]
        assert shown[scene] == np.argmax(likeness)


def test_a_capture_shows_the_same_tile_whoever_else_flies_and_another_for_another_seed(flown):
    experiment, world, _, _ = flown
    folder, names = tile_folder(experiment), world.constellation.names
    shown = tiles_shown(folder, world.scenes, names, 0)
    alone = world.scenes.satellite == 2
    assert np.array_equal(tiles_shown(folder, world.scenes.take(alone), names, 0), shown[alone])
    assert (tiles_shown(folder, world.scenes, names, 1) != shown).mean() > 0.8


def test_the_report_speaks_the_users_classes(flown, tmp_path):
    experiment, world, runs, metrics = flown
    path = tmp_path / "report.html"
    write_report(
        path,
        experiment=experiment,
        outcome=conclude(experiment, {arm: [run] for arm, run in metrics.items()}),
        world=world,
        records={arm: record for arm, (record, _) in runs.items()},
        executor=prepare(experiment, 0, Path(path.parent / "none")).executor,
    )
    page = path.read_text()
    assert "<b>dunes</b>" in page
    assert "bog &amp; fen" in page
    assert "savanna" not in page
    record = runs["collaborative"][0]
    deadline = parse_duration("12h")
    table = confusion(record, world.scenes, worth_answering(world.scenes, deadline, world.end), len(NAMES), deadline)
    assert table.shape == (3, 4)
    assert table.sum() == metrics["collaborative"].figures["scored_scenes"]


def test_a_run_is_found_again_unless_the_content_of_the_folder_changes(place, tmp_path):
    for name in ("tiles", "own.yaml"):
        copy = shutil.copytree if (place / name).is_dir() else shutil.copy
        copy(place / name, tmp_path / name)
    paths = []
    for folder in (place, tmp_path):
        experiment = load_experiment(folder / "own.yaml")
        assert experiment.imagery.folder == str(folder / "tiles")
        paths.append(record_path(experiment, Path("out"), "in-orbit", 0))
    assert paths[0] == paths[1]
    Image.new("RGB", (32, 32)).save(tmp_path / "tiles" / "dunes" / "00.png")
    changed = load_experiment(tmp_path / "own.yaml")
    assert record_path(changed, Path("out"), "in-orbit", 0) not in paths
    (tmp_path / "tiles" / "dunes" / "01.png").unlink()
    with pytest.raises(InputError, match="the content of this folder is"):
        tile_folder(changed)
    with pytest.raises(InputError, match="the content of this folder is"):
        tile_folder(load_experiment(tmp_path / "own.yaml", ["imagery.folder_digest=tiles-0123"]))


def test_an_experiment_over_the_earth_is_named_as_before_there_were_folders():
    assert not {"folder", "folder_digest"} & set(canonical(load_experiment("slice"))["imagery"])


def test_skies_lie_on_every_tile_alike_and_only_on_tiles_of_the_split(place):
    folder = TileFolder.open(place / "tiles")
    source = FolderSource(folder, Earth.load(), replace(Camera(), thumbnail_px=SIZE_PX))
    pictures = source.pictures(CALIBRATE, (7,), 40, 0, clear_only=False)
    each = np.bincount(folder.label[folder.rows_of(CALIBRATE)])
    assert np.array_equal(np.bincount(pictures.label), each * (120 // each.sum()))
    assert 0.2 < (pictures.cloud_cover > 0.5).mean() < 0.9
    archive = source.archive((), 5, 0)
    assert len(archive.ground) == 15
    train = folder.tiles(SIZE_PX)[folder.rows_of(TRAIN)]
    assert all((train == ground[0]).all(axis=(1, 2, 3)).any() for ground in archive.ground)
    tiles, on_picture = next(archive.batches(32, stream(0, "t", "training")))
    assert tiles.shape == (32, SIZE_PX, SIZE_PX, 3)
    assert (on_picture.shares.max(axis=1) == 1).all()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["imagery.folder=nowhere"], "imagery.folder: there is no folder 'nowhere'"),
        (["models.on_board=flight-small"], "different classes: barren, bog & fen, cropland"),
        (["imagery.folder=null"], "model small has other classes than the pictures: barren, bog & fen"),
        (["arms.in-orbit.set={imagery.folder: elsewhere}"], "arm in-orbit cannot see another folder"),
    ],
)
def test_a_wrong_experiment_is_answered_with_a_sentence(place, overrides, words):
    with pytest.raises(InputError, match=words):
        load_fleet(load_experiment(place / "own.yaml", overrides), 0, SIZE_PX)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ["dunes", "bog & fen", "terraces"]}, "the order is bog & fen, dunes, terraces"),
        ({"classes": ["dunes", "bog & fen", "moor"]}, "other classes than the pictures: moor, terraces"),
        ({"recipe": {"folder": "nowhere"}}, "card.yaml: there is no folder 'nowhere'"),
        ({"recipe": {"months": [7]}}, "recipe: either months or a folder of tiles is needed"),
    ],
)
def test_a_wrong_card_is_answered_with_a_sentence(place, changes, words):
    (place / "card.yaml").write_text(card("card", **changes))
    with pytest.raises(InputError, match=words):
        train_card(place / "card.yaml", [0], Camera())


def test_a_file_that_is_no_picture_is_named_before_anything_is_run(place, tmp_path):
    shutil.copytree(place / "tiles", tmp_path / "tiles")
    shutil.copy(place / "own.yaml", tmp_path / "own.yaml")
    (tmp_path / "tiles" / "dunes" / "07.png").write_text("hello")
    experiment = load_experiment(tmp_path / "own.yaml")
    with pytest.raises(InputError, match=r"dunes/07\.png: this file is not a picture"):
        load_fleet(experiment, 0, SIZE_PX)


def test_a_cloud_filter_can_be_trained_over_the_users_ground(place):
    (place / "filter.yaml").write_text(
        card("filter", task="cloud", classes=["clear", "cloudy"], recipe={"steps": 100, "per_class": 50})
    )
    assert train_card(place / "filter.yaml", [0], Camera())["accuracy"] > 0.8
