"""How all tests run: their draws are the same each time, none is judged by its time, and Ray's share one process.

``pytest --hypothesis-profile=search`` draws anew: it looks for corners that the usual draws miss.
"""

import pytest
from hypothesis import settings

settings.register_profile("usual", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("usual")


def pytest_collection_modifyitems(items):
    """Tests of one file stay together, as they share what is dear to make, and Ray's, as two clusters at once are too much.

    Ray's take longest and come first, so that at the end no process works on alone.
    """
    for item in items:
        together = "ray" if item.get_closest_marker("ray") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(together))
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)
