"""Publish mode leaves out numbers about few people, and numbers that would reveal them.

Belongs here: which cells are hidden. Not here: the tables (`sections/`).

A cell is small if it is about at least one but fewer than k users; a cell about nobody is not small. If the total of a
group is known, hiding only its small cells would reveal their sum. So the smallest cell of the group that is not small
is hidden too: what is missing is then about at least k users.
"""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Suppression:
    """Hides cells about fewer than `min_users` users."""

    min_users: int

    def is_small(self, users: pd.Series) -> pd.Series:
        """Whether each count of users is above 0 but too low to be shown."""
        return (users > 0) & (users < self.min_users)

    def hidden(
        self, cells: pd.DataFrame, *within: list[str], users: str = "users", covers: pd.Series | None = None
    ) -> pd.Series:
        """Which cells are left out: the small ones, and one more that covers them in each group that has some.

        Args:
            cells: one row per cell; its users are distinct users, or those of the smallest number in the cell.
            within: the columns of each grouping whose totals are known elsewhere; no columns mean one group of all
                cells. Each grouping must be a refinement of the next: crossing ones would need more than one cover.
            users: the column with the users.
            covers: which cells may cover others, namely those whose numbers are not known elsewhere; all by default.

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
        """The cells that remain, in their order, with a new index."""
        return cells[~self.hidden(cells, *within, users=users)].reset_index(drop=True)

    def note(self, left_out: int) -> str:
        """A note for the readers of a section."""
        return (
            f"Publish mode leaves out {left_out:,} cells that are about fewer than {self.min_users} users or would "
            "reveal such cells; sums are over what is shown."
        )
