"""The demo's bad day: landing files go missing, an alert opens, they come back, the alert resolves.

Belongs here: which day goes bad and how. Not here: what notices it (`checks/`) and what sends alerts (`alerts/`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.instance.interrupt import last_act
from engagement_assets.settings import Settings

BAD_DAY = date(2024, 1, 17)
# The raw data and everything downstream, as in the command that the alert names.
SELECTION = 'key:"raw_runna/activities"+'


def show_alerts(settings: Settings) -> tuple[RangeRun, RangeRun]:
    """Run the bad day, then the same day with its files back; each run prints its alerts."""
    request = RangeRequest(DayWindow(BAD_DAY, BAD_DAY + timedelta(days=1)), SELECTION)
    with files_gone(Path(settings.landing_uri) / "runna" / "activities" / BAD_DAY.isoformat()) as gone:
        print(f"     {gone} activity files of {BAD_DAY} go missing, and the day runs again:\n")
        bad = run_range(settings, request)
    print("     The files are back, and the day runs again:\n")
    return bad, run_range(settings, request)


@contextmanager
def files_gone(folder: Path) -> Iterator[int]:
    """Move every second file out of a folder for a while; yields how many. They come back after an interrupt too."""
    elsewhere = folder.with_name(f".{folder.name}.gone")
    elsewhere.mkdir(exist_ok=True)
    gone = sorted(folder.glob("*.json"))[::2]
    for path in gone:
        path.rename(elsewhere / path.name)

    def bring_back() -> None:
        for path in elsewhere.iterdir():
            path.rename(folder / path.name)
        elsewhere.rmdir()

    with last_act(bring_back):
        try:
            yield len(gone)
        finally:
            bring_back()
