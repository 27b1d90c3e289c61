"""How all tests run: their draws are the same each time, none is judged by its time, and Ray's share one process.

``pytest --hypothesis-profile=search`` draws anew: it looks for corners that the usual draws miss.
"""

from functools import cache
from pathlib import Path

from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

settings.register_profile("usual", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("usual")


@cache
def starts_ray(file):
    return "mark.ray" in Path(__file__).parent.parent.joinpath(file).read_text()


class RayInOneProcess(LoadFileScheduling):
    """Tests of a file share what is dear to make, and so a process; all with Ray share one, as two clusters are too much."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return "ray" if starts_ray(file) else file


def pytest_xdist_make_scheduler(config, log):
    return RayInOneProcess(config, log)


def pytest_collection_modifyitems(items):
    """What takes longest comes first, so that at the end no process works on alone."""
    items.sort(key=lambda item: not starts_ray(item.nodeid.partition("::")[0]))
