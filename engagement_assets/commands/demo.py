"""`make demo`: sample data, the whole graph over its days in one run, a summary, then a bad day and its alert.

Belongs here: the order of the demo and what it prints. Not here: the sample data (see `sandbox/`).
"""

import sys
import time
from datetime import timedelta
from pathlib import Path

from engagement_assets.commands.alert_demo import show_alerts
from engagement_assets.commands.exit_process import exit_process
from engagement_assets.commands.load_settings import load_settings
from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.commands.sandbox_services import DEMO_DAYS, DEMO_FIRST_DAY, with_services
from engagement_assets.commands.summary import print_summary
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.report.build import REPORT_FILE
from engagement_assets.sandbox.sample_data import write_sample_landing


def main() -> int:
    """Run the demo; 0 when everything passed."""
    settings = load_settings(landing_uri="")
    started = time.monotonic()
    print(f"1/3  Writing {DEMO_DAYS} days of sample data to {settings.landing_uri}")
    write_sample_landing(Path(settings.landing_uri), start=DEMO_FIRST_DAY, days=DEMO_DAYS)
    window = DayWindow(DEMO_FIRST_DAY, DEMO_FIRST_DAY + timedelta(days=DEMO_DAYS))
    print(f"2/3  Materializing {window.start} to {window.days()[-1]} in one run")
    with with_services(settings) as with_sandbox:
        run = run_range(with_sandbox, RangeRequest(window))
        print_summary(settings, run)
        if not run.success:
            return 1
        print("\n3/3  A day goes bad, and is repaired")
        bad, repaired = show_alerts(with_sandbox)
        if bad.success or not repaired.success:
            print("\nFAILED: the bad day passed, or the repaired one did not", file=sys.stderr)
            return 1
    print(f"Report      {(settings.report_dir / REPORT_FILE).resolve().as_uri()}")
    print(
        f"\nDone in {time.monotonic() - started:.0f} s. Next:\n"
        "  make dev                                        look at the graph on http://127.0.0.1:3000\n"
        "  make backfill FROM=2024-01-08 TO=2024-01-14     run a week again\n"
        "  make report                                     open the report again\n"
        f"  duckdb -readonly {settings.published_warehouse_path}\n"
        "  LANDING_URI=/path/to/landing make backfill …    your own files"
    )
    return 0


if __name__ == "__main__":
    exit_process(main())
