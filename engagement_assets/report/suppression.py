"""Publish mode leaves out numbers about few people, and numbers that would reveal them.

Belongs here: which cells are hidden. Not here: the tables (`sections/`).

A cell is small if one of its parts is about at least one but fewer than k users; a part about nobody is not small. If
the total of a group is known, hiding only its small cells would reveal their sum. So for each part that is missing, the
smallest cell whose part is about at least k users is hidden too: what is missing is then about at least k users.

The columns `users` and `users_…` of a table of cells count the distinct users of a part.
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

    def hidden(self, cells: pd.DataFrame, *within: list[str], covers: pd.Series | None = None) -> pd.Series:
        """Which cells are left out: those with a small part, and those that cover them in each group that has some.

        Args:
            cells: one row per cell, with the users of each of its parts.
            within: the columns of each grouping whose totals are known elsewhere; no columns mean one group of all
                cells. Each grouping must be a refinement of the next: crossing ones would need more than one cover.
            covers: which cells may cover others, namely those whose numbers are not known elsewhere; all by default.

        Returns:
            A boolean per row, with the index of `cells`.
        """
        parts = cells[users_columns(cells)]
        # Of a group in which no cell has enough of a part, another cell is hidden all the same.
        parts = parts.assign(fewest=parts.where(parts > 0).min(axis=1).fillna(0))
        hidden = self.is_small(parts["fewest"])
        for columns in within:
            for group in [each for _, each in cells.groupby(columns, dropna=False)] if columns else [cells]:
                for part in parts:
                    users = parts[part][group.index]
                    able = users >= self.min_users
                    if covers is not None:
                        able &= covers[group.index]
                    missing = hidden[group.index] & (users > 0)
                    if missing.any() and able.any() and not (missing & able).any():
                        hidden |= hidden.index == users[able].idxmin()
        return hidden

    def shown(self, cells: pd.DataFrame, *within: list[str]) -> pd.DataFrame:
        """The cells that remain, in their order, with a new index."""
        return cells[~self.hidden(cells, *within)].reset_index(drop=True)

    def note(self, left_out: int) -> str:
        """A note for the readers of a section."""
        return (
            f"Publish mode leaves out {left_out:,} cells that are about fewer than {self.min_users} users or would "
            "reveal such cells; sums are over what is shown."
        )


def users_columns(cells: pd.DataFrame) -> list[str]:
    """The columns that count the users of a part."""
    return [name for name in cells.columns if name == "users" or name.startswith("users_")]


def without_users(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells without these columns, which no chart shows."""
    return cells.drop(columns=users_columns(cells))
