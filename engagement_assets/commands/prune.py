"""`make prune [DRY_RUN=1]`: removes what is older than the settings allow, or reports what would be removed.

Belongs here: the command's arguments. Not here: what is removed (see `orchestration/retention.py`).
"""

import sys

import dagster as dg

from engagement_assets.alerts.alerting import AlertsBusyError
from engagement_assets.alerts.store import AlertStoreError
from engagement_assets.commands.arguments import prune_parser
from engagement_assets.commands.erased_tables import follow_deleted_activities
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.definitions import build_defs
from engagement_assets.extract.services.client import Clock
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.lake.commit import LakeFullError
from engagement_assets.lake.lake import LakeBusyError
from engagement_assets.orchestration.retention import prune_all


def main() -> int:
    """Run the command; 0 when it is done, 1 when another process holds a lock or tables could not follow."""
    arguments = prune_parser().parse_args()
    settings = load_settings()
    prepare_dagster_home(settings)
    graph = build_defs(settings).resolve_asset_graph()
    with dg.DagsterInstance.get() as instance:
        try:
            for item in prune_all(settings, instance, graph, now=Clock().now(), dry_run=arguments.dry_run):
                print(item.sentence(dry_run=arguments.dry_run))
        except (LakeBusyError, LakeFullError, AlertsBusyError, AlertStoreError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0 if arguments.dry_run else follow_deleted_activities(settings)


if __name__ == "__main__":
    exit_process(main())
