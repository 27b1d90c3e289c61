"""Files are found here or in skyedge's own folders, and what is nowhere is said with the places that were searched."""

import pytest

from skyedge.errors import InputError
from skyedge.resources import find, find_all, folder

OURS = folder("experiments")
FEDERATION = sorted(str(path) for path in (OURS / "manifests/federation").glob("*.yaml"))


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """An empty folder, in which the command is given."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mistake(path, **more):
    with pytest.raises(InputError) as caught:
        find(path, kind="experiments", **more)
    return str(caught.value)


def test_what_is_here_goes_before_what_is_in_our_folder(here):
    assert find("tiansuan.yaml", kind="experiments") == OURS / "tiansuan.yaml"
    (here / "tiansuan.yaml").write_text("")
    assert find("tiansuan.yaml", kind="experiments") == here / "tiansuan.yaml"


def test_all_places_that_were_searched_are_named(here):
    assert mistake("nofile.yaml") == "there is no file 'nofile.yaml', neither here nor in skyedge's experiments/"
    assert mistake(here / "nofile.yaml") == f"there is no file '{here}/nofile.yaml'"
    assert f"nor in {here}, where it is named, nor in skyedge's" in mistake("nofile.yaml", beside=here)


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("tiansun.yaml", "tiansuan.yaml"),
        ("manifests/federation/cluster.yaml", "manifests/federation/clusters.yaml"),
        ("workloads.yaml", "manifests/federation/workloads.yaml"),
        ("a.yaml", None),
        ("profile.yaml", None),
    ],
)
def test_only_what_is_called_much_alike_is_meant(given, right):
    with pytest.raises(InputError) as caught:
        find(given, kind="experiments")
    assert caught.value.nearest == right
    if right is not None:
        assert find(right, kind="experiments").is_file()


def test_what_is_called_alike_here_is_meant_too(here):
    (here / "small.yaml").write_text("")
    assert "(did you mean 'small.yaml'?)" in mistake("smal.yaml")
    assert f"(did you mean '{here}/small.yaml'?)" in mistake(here / "smal.yaml")


@pytest.mark.parametrize("pattern", ["manifests/federation/*.yaml", "experiments/manifests/federation/*.yaml"])
def test_a_pattern_that_nothing_here_meets_is_one_of_our_files(here, pattern):
    assert find_all([pattern], kind="experiments") == FEDERATION
    (here / pattern).parent.mkdir(parents=True)
    assert find_all([pattern], kind="experiments") == FEDERATION
    for name in ("b.yaml", "a.yaml"):
        (here / pattern).with_name(name).write_text("")
    folder_here = pattern.removesuffix("*.yaml")
    assert find_all([pattern], kind="experiments") == [f"{folder_here}a.yaml", f"{folder_here}b.yaml"]


def test_files_stay_in_the_order_in_which_they_are_given(here):
    (here / "z.yaml").write_text("")
    (here / "odd[1].yaml").write_text("")
    given = ["z.yaml", "-", "odd[1].yaml", "slice.yaml"]
    assert find_all(given, kind="experiments", but=("-",)) == [*given[:3], str(OURS / "slice.yaml")]


def test_a_pattern_that_nothing_meets_is_said():
    with pytest.raises(InputError, match=r"no file meets the pattern 'manifests/mseh/\*', neither here nor in skyedge's"):
        find_all(["manifests/mseh/*"], kind="experiments")
    with pytest.raises(InputError, match=r"there is no file 'no[.]yaml'"):
        find_all(["no.yaml"], kind="experiments")
