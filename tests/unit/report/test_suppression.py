"""Which cells publish mode hides, and that what is missing from a known total is never about few."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.report.suppression import Suppression


def hidden(users: list[int], min_users: int = 5, groups: list[str] | None = None) -> list[bool]:
    cells = pd.DataFrame({"users": users, "group": groups or ["a"] * len(users)})
    return Suppression(min_users).hidden(cells, ["group"]).tolist()


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ([5, 6, 7], [False, False, False]),
        ([4, 6, 7], [True, True, False]),
        ([4, 7, 5], [True, False, True]),
        ([4, 3], [True, True]),
        ([0, 6, 7], [False, False, False]),
        ([0, 1, 9], [False, True, True]),
    ],
)
def test_a_small_cell_is_hidden_with_the_smallest_that_is_not(users: list[int], expected: list[bool]) -> None:
    assert hidden(users) == expected


def test_groups_cover_their_own_small_cells() -> None:
    assert hidden([4, 9, 9, 9], groups=["a", "a", "b", "b"]) == [True, True, False, False]


def test_a_group_without_a_name_is_a_group() -> None:
    cells = pd.DataFrame({"users": [2, 8], "group": [None, None]})
    assert Suppression(5).hidden(cells, ["group"]).tolist() == [True, True]


def test_no_cells_are_no_failure() -> None:
    cells = pd.DataFrame({"users": pd.Series([], dtype="int64"), "group": pd.Series([], dtype="str")})
    assert Suppression(5).shown(cells, ["group"]).empty
    assert Suppression(5).shown(cells, []).empty


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1), st.integers(2, 9))
def test_what_is_missing_is_about_enough_users(cells: list[tuple[str, int]], min_users: int) -> None:
    frame = pd.DataFrame(cells, columns=["group", "users"])
    mask = Suppression(min_users).hidden(frame, ["group"])
    assert not ((frame["users"] > 0) & (frame["users"] < min_users) & ~mask).any()
    for name, group in frame.groupby("group"):
        missing = group.loc[mask[group.index], "users"]
        shown = group.loc[~mask[group.index], "users"]
        if len(missing):
            # Users of several cells may be the same ones: only the largest cell says how many there are at least.
            assert missing.max() >= min_users or not (shown > 0).any(), name
