"""Publish mode: numbers about few people are left out, and those that would give them away.

Belongs here: which cells are hidden. Not here: the tables (`sections/`).

A cell is small when it is about at least one and fewer than k users; nobody is not somebody. Hiding only the small
cells of a group whose total is known would tell their sum, so the smallest cell of the group that is not small is
hidden with them: what is missing is then about k users at least.
"""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Suppression:
    """Hides cells with fewer than `min_users` users."""

    min_users: int

    def is_small(self, users: pd.Series) -> pd.Series:
        """Whether a count of users is above 0 and below the least that may be shown."""
        return (users > 0) & (users < self.min_users)

    def hidden(
        self, cells: pd.DataFrame, *within: list[str], users: str = "users", covers: pd.Series | None = None
    ) -> pd.Series:
        """Which cells are left out: the small ones, and one that covers them in each group that has some.

        Args:
            cells: one row per cell, `users` being its distinct users, or those of the smallest number in it.
            within: columns of groups whose totals are known elsewhere; no columns are one group of all cells. Of
                several, each is a part of the next. Groups that cross would need more than one cover.
            users: the column of users.
            covers: which cells may cover others; not those whose numbers are known elsewhere. All where it is missing.

        Returns:
            A boolean per row, with the index of `cells`.
        """
        hidden = self.is_small(cells[users])
        able = cells[users] >= self.min_users
        if covers is not None:
            able &= covers
        for columns in within:
            for group in [each for _, each in cells.groupby(columns, dropna=False)] if columns else [cells]:
                missing, free = hidden[group.index], able[group.index]
                if missing.any() and free.any() and not (missing & free).any():
                    hidden |= hidden.index == group.loc[free, users].idxmin()
        return hidden

    def shown(self, cells: pd.DataFrame, *within: list[str], users: str = "users") -> pd.DataFrame:
        """The cells that stay, in their order, with an index of their own."""
        return cells[~self.hidden(cells, *within, users=users)].reset_index(drop=True)

    def note(self, left_out: int) -> str:
        """A remark for the readers of a section."""
        return (
            f"Publish mode: {left_out:,} cells are left out, since they are about fewer than {self.min_users} users "
            "or would tell of such cells; sums are over what is shown."
        )
