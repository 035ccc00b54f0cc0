"""`make report`: writes the engagement report from the published tables, and opens it in the browser.

Belongs here: the command. Not here: the report (`report/`) or its asset (`assets/engagement_report.py`).
"""

import sys
import webbrowser

import dagster as dg

from engagement_assets.assets.engagement_report import written_report
from engagement_assets.commands.arguments import report_parser
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.progress import silence_told
from engagement_assets.definitions import build_defs
from engagement_assets.instance.home import prepare_dagster_home


@silence_told()
def main() -> int:
    """Write the report and open it; 0 when it is written, 1 when nothing is published yet."""
    arguments = report_parser().parse_args()
    settings = load_settings()
    prepare_dagster_home(settings)
    print("Writing the report", flush=True)
    graph = build_defs(settings).resolve_asset_graph()
    try:
        with dg.DagsterInstance.get() as instance:
            report = written_report(settings, instance, graph)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Report      {report.path} ({report.size_bytes / 1e6:.1f} MB)")
    if not arguments.no_open and not webbrowser.open(report.path.resolve().as_uri()):
        print("No browser could be started. Open the file yourself.")
    return 0


if __name__ == "__main__":
    exit_process(main())
