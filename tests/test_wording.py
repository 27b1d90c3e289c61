from hypothesis import given
from hypothesis import strategies as st

from skyedge.wording import counted


@given(st.integers(min_value=0))
def test_what_stands_in_brackets_is_there_unless_it_is_one(count):
    assert counted(count, "way(s) between class(es)") == (
        "1 way between class" if count == 1 else f"{count:,} ways between classes"
    )
