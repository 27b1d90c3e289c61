"""A user's folder of tiles: what is taken, how it is split, and the sentence for everything that is wrong."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from skyedge.earth import CALIBRATE, EVALUATE, TRAIN
from skyedge.earth.blocks import SPLIT_NAMES, split_by_hash
from skyedge.earth.tile_folder import TileFolder, open_sealed, read_tile
from skyedge.errors import InputError

COLOURS = {"lake": (20, 60, 200), "meadow": (40, 160, 40)}


def write(file, colour=(10, 20, 30), size=(8, 8), mode="RGB"):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(file)


@pytest.fixture
def flat(tmp_path):
    for name, colour in COLOURS.items():
        for number in range(40):
            write(tmp_path / "flat" / name / f"{number}.png", colour)
    (tmp_path / "flat" / "LICENSE").write_text("a file beside the classes is nobody's tile")
    (tmp_path / "flat" / "lake" / ".hidden").write_text("nor is this")
    return tmp_path / "flat"


@pytest.fixture
def split(tmp_path):
    for part in SPLIT_NAMES:
        for name, colour in COLOURS.items():
            write(tmp_path / "split" / part / name / "only.png", colour)
    return tmp_path / "split"


def test_classes_are_the_folders_in_alphabetical_order_and_each_tile_has_its_own(flat):
    folder = TileFolder.open(flat)
    assert folder.classes == ("lake", "meadow")
    assert len(folder.files) == 80
    tiles = folder.tiles(4)
    assert tiles.shape == (80, 4, 4, 3)
    assert (tiles == np.array(list(COLOURS.values()), np.uint8)[folder.label][:, None, None]).all()


def test_every_tile_has_one_split_and_adding_others_moves_none(flat):
    before = TileFolder.open(flat)
    rows = np.concatenate([before.rows_of(split) for split in (TRAIN, CALIBRATE, EVALUATE)])
    assert sorted(rows) == list(range(80))
    write(flat / "lake" / "another.png")
    after = dict(zip(TileFolder.open(flat).files, TileFolder.open(flat).split, strict=True))
    assert all(after[file] == split for file, split in zip(before.files, before.split, strict=True))


def test_a_hash_deals_in_the_shares_of_the_blocks():
    shares = np.bincount([split_by_hash(f"tile river/{n}.png") for n in range(20_000)], minlength=3) / 20_000
    assert shares == pytest.approx([0.40, 0.15, 0.45], abs=0.015)


def test_a_folder_that_is_split_stays_as_it_is(split):
    folder = TileFolder.open(split)
    assert [file.parent.parent.name for file in folder.files] == [SPLIT_NAMES[number] for number in folder.split]
    assert folder.classes == ("lake", "meadow")


def test_the_digest_changes_with_a_byte_a_name_and_a_place_but_not_with_the_folder_above(flat, tmp_path):
    first = TileFolder.open(flat).digest
    assert TileFolder.open(shutil.copytree(flat, tmp_path / "elsewhere")).digest == first
    write(flat / "lake" / "0.png", (21, 60, 200))
    second = TileFolder.open(flat).digest
    (flat / "lake" / "1.png").rename(flat / "lake" / "one.png")
    third = TileFolder.open(flat).digest
    (flat / "lake" / "2.png").rename(flat / "meadow" / "two.png")
    assert len({first, second, third, TileFolder.open(flat).digest}) == 4
    with pytest.raises(InputError, match=f"and not {first}"):
        open_sealed(flat, first)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGBA", "CMYK"])
def test_grey_transparent_and_palette_pictures_become_rgb(tmp_path, mode):
    write(tmp_path / "a.tif", (255, 255, 255), mode=mode)
    assert (read_tile(tmp_path / "a.tif", 4) == 255).all()


@pytest.mark.parametrize("size_px", [4, 16, 40])
def test_a_picture_that_is_not_square_is_cut_about_its_middle(tmp_path, size_px):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (read_tile(tmp_path / "a.png", size_px) == 200).all()


def deep(file):
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(file)


def truncated(file):
    whole = file.with_suffix(".jpg")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(whole)
    file.write_bytes(whole.read_bytes()[:2000])
    whole.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_text("hello"), "not a picture"),
        (deep, "mode I;16 is not RGB of eight bits"),
        (truncated, "cannot read this picture: .*truncated"),
        (lambda file: file.symlink_to("nowhere"), "cannot read this picture: No such file"),
    ],
)
def test_a_file_that_is_no_picture_is_named(tmp_path, spoil, words):
    file = tmp_path / "odd.png"
    spoil(file)
    with pytest.raises(InputError, match=f"^{re.escape(str(file))}: .*{words}"):
        read_tile(file, 16)


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def empty_class(folder):
    (folder / "moor").mkdir()


def small_class(folder):
    write(folder / "moor" / "0.png")


def unsupported(folder):
    (folder / "lake" / "bands.npy").write_bytes(b"")


def nested(folder):
    write(folder / "lake" / "more" / "0.png")


def other_words(folder):
    (folder / "lake").rename(folder / "train")
    (folder / "meadow").rename(folder / "val")


def many(folder):
    for number in range(130):
        write(folder / f"class-{number}" / "0.png")


@pytest.mark.parametrize(
    ("spoil", "place", "words"),
    [
        (shutil.rmtree, "", "no such folder"),
        (empty, "", "this folder is empty"),
        (empty_class, "/moor", "this class has no pictures"),
        (small_class, "", "of the 1 pictures of class 'moor' none is for"),
        (lambda folder: shutil.rmtree(folder / "lake"), "", "one class only, 'meadow'"),
        (unsupported, "/lake/bands.npy", "not a picture"),
        (nested, "/lake/more", "no meaning"),
        (other_words, "", "train, calibrate, evaluate here, and not 'val'"),
        (many, "", "132 classes"),
    ],
)
def test_a_wrong_folder_is_answered_with_a_sentence(flat, spoil, place, words):
    spoil(flat)
    with pytest.raises(InputError, match=f"^{re.escape(str(flat))}{place}: .*{words}"):
        TileFolder.open(flat)


def test_a_split_folder_must_have_every_split_and_every_class_in_each(split):
    shutil.rmtree(split / "calibrate" / "lake")
    with pytest.raises(InputError, match="of the 2 pictures of class 'lake' none is for 'calibrate'"):
        TileFolder.open(split)
    shutil.rmtree(split / "calibrate")
    with pytest.raises(InputError, match="'calibrate' is missing"):
        TileFolder.open(split)
