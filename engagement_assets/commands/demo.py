"""`make demo`: sample data, the whole graph over its days in one run, a summary, then a bad day and its alert.

Belongs here: the order of the demo, what it prints, which day goes bad and how. Not here: the sample data
(`sandbox/`), what notices the bad day (`checks/`) and sends alerts (`alerts/`).
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from engagement_assets.alerts.messages import ALERT
from engagement_assets.commands.install import telling
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.progress import counted
from engagement_assets.commands.range_command import print_summary
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.installation import PROGRAM
from engagement_assets.instance.interrupt import last_act
from engagement_assets.report.build import REPORT_FILE
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.settings import SAMPLE_DAYS, Settings

BAD_DAY = date(2024, 1, 17)
RAW = 'key:"raw_runna/activities"'
# Everything downstream as well, as in the command that the alert names.
RAW_AND_DOWNSTREAM = f"{RAW}+"
LOG_NAME = "demo.log"


def main() -> int:
    """Run the demo; 0 when everything passed."""
    settings = load_settings(landing_uri="")
    started = time.monotonic()
    log = Path(settings.landing_uri).with_name(LOG_NAME)
    days = SAMPLE_DAYS.days()
    with telling(f"1/3  Writing {len(days)} days of sample data to {settings.landing_uri}"):
        write_sample_landing(Path(settings.landing_uri), start=days[0], days=len(days))
    log.unlink(missing_ok=True)
    print(f"2/3  Materializing {days[0]} to {days[-1]} in one run; its log is {log}", flush=True)
    with with_services(settings) as with_sandbox:
        with counted(log) as counter:
            run = run_range(with_sandbox, RangeRequest(SAMPLE_DAYS), counter=counter)
        if run.success:
            print("3/3  A day goes bad, and is repaired", flush=True)
            bad, repaired = show_alerts(with_sandbox, log)
    print_summary(settings, run)
    if not run.success:
        return 1
    if bad.success or not repaired.success:
        print("\nFAILED: the bad day passed, or the repaired one did not", file=sys.stderr)
        return 1
    print(f"Report      {(settings.report_dir / REPORT_FILE).resolve().as_uri()}")
    print(f"Log         {log}")
    width = len(PROGRAM) + 44
    print(
        f"\nDone in {time.monotonic() - started:.0f} s. Next:\n"
        f"  {PROGRAM + ' dev':<{width}}look at the graph on http://127.0.0.1:3000\n"
        f"  {PROGRAM + ' backfill FROM=2024-01-08 TO=2024-01-14':<{width}}run a week again\n"
        f"  {PROGRAM + ' report':<{width}}open the report\n"
        f"  duckdb -readonly {settings.published_warehouse_path}\n"
        f"  {'LANDING_URI=/path/to/landing ' + PROGRAM + ' backfill …':<{width}}your own files"
    )
    return 0


def show_alerts(settings: Settings, log: Path) -> tuple[RangeRun, RangeRun]:
    """Run the bad day, then the same day with its files back; shows what alerts say about the files."""
    with files_gone(Path(settings.landing_uri) / "runna" / "activities" / BAD_DAY.isoformat()):
        # The check counts the records that are lost: a rejected one and a copy are none.
        print(f"     Every second activity file of {BAD_DAY} goes missing, and the day runs again", flush=True)
        bad = _run_bad_day(settings, log, RAW)
    print("     The files are back, and the day runs again", flush=True)
    return bad, _run_bad_day(settings, log, RAW_AND_DOWNSTREAM)


def _run_bad_day(settings: Settings, log: Path, selection: str) -> RangeRun:
    begins_at = log.stat().st_size
    with counted(log) as counter:
        window = DayWindow(BAD_DAY, BAD_DAY + timedelta(days=1))
        run = run_range(settings, RangeRequest(window, selection), counter=counter)
    with log.open(encoding="utf-8") as lines:
        lines.seek(begins_at)
        for line in lines:
            if line.startswith(ALERT):
                print(f"     {line}", end="")
            elif line.rstrip().endswith("· has_not_shrunk"):
                print(f"     {line}     {next(lines)}", end="", flush=True)
    return run


@contextmanager
def files_gone(folder: Path) -> Iterator[None]:
    """Move every second file out of a folder for a while. They come back after an interrupt too."""
    elsewhere = folder.with_name(f".{folder.name}.gone")
    elsewhere.mkdir(exist_ok=True)
    for path in sorted(folder.glob("*.json"))[::2]:
        path.rename(elsewhere / path.name)

    def bring_back() -> None:
        for path in elsewhere.iterdir():
            path.rename(folder / path.name)
        elsewhere.rmdir()

    with last_act(bring_back):
        try:
            yield
        finally:
            bring_back()


if __name__ == "__main__":
    exit_process(main())
