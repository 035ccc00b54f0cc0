"""The state of the data in a few words: checks, alerts, held days, freshness.

Belongs here: what data quality and the overview both say first. Not here: the figures about it (`quality.py`).
"""

import pandas as pd

from engagement_assets.report.figures import Level, Tile
from engagement_assets.report.theme import STATES


def outcomes(checks: pd.DataFrame, alerts: pd.DataFrame, *, are_read: bool) -> tuple[Tile, ...]:
    """How many checks are in which state, and how many alerts are open; `unknown` if they could not be read."""
    passed, warned, failed, not_run = (int((checks["state"] == state).sum()) for state in STATES)
    opened, resolved, planned = (alerts[alerts["state"] == state] for state in ("open", "resolved", "not run"))
    known = f"{len(resolved):,} resolved" + (f", {len(planned):,} planned and never run" if len(planned) else "")
    severity: Level = "bad" if (opened["severity"] == "error").any() else "warn" if len(opened) else "good"
    return (
        Tile("checks failed", f"{failed:,}", state="bad" if failed else "good"),
        Tile("checks warned", f"{warned:,}", state="warn" if warned else "good"),
        Tile("checks passed", f"{passed:,}", f"{not_run:,} never run" if not_run else ""),
        Tile("alerts open", f"{len(opened):,}", known, severity) if are_read else Tile("alerts open", "unknown"),
    )


def days(freshness: pd.DataFrame, held: pd.DataFrame) -> tuple[Tile, ...]:
    """How many days are held now, and the newest day of the dataset that is furthest behind."""
    # A load that holds a day holds it for each of its datasets.
    days_held = len(held.drop_duplicates(["source", "held_day"]))
    tiles = [Tile("days held", f"{days_held:,}", state="warn" if days_held else "good")]
    known = freshness.dropna(subset="newest_day").sort_values("newest_day", kind="stable").to_dict("records")
    if known:
        last = known[0]
        remark = f"{last['source']} / {last['dataset']}, {last['days_behind']:,.0f} days behind"
        tiles.append(Tile("least fresh", str(last["newest_day"]), remark))
    return tuple(tiles)
