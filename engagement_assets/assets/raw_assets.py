"""The raw assets of a source, from its description.

Belongs here: which loads a source has. Not here: what a load does (the modules beside this one).
"""

from collections.abc import Callable

import dagster as dg

from engagement_assets.assets.raw_asset import raw_asset
from engagement_assets.assets.raw_files import event_log_load, snapshots_load
from engagement_assets.assets.raw_runna import runna_loads
from engagement_assets.assets.raw_source import RawSource
from engagement_assets.assets.raw_strava import strava_loads
from engagement_assets.assets.raw_user_events import user_events_loads
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lines.readers import EventLog, Snapshots
from engagement_assets.settings import Settings

# Sources that are not line files. The loads of all others follow from their readers.
OWN_LOADS: dict[str, Callable[[Settings], list[RawSource]]] = {
    "runna": runna_loads,
    "strava": strava_loads,
    "user_events": user_events_loads,
}


def raw_assets(source: Source, settings: Settings) -> list[dg.AssetsDefinition]:
    """One step per load of the source."""
    loads = OWN_LOADS.get(source.name)
    return [raw_asset(load, settings) for load in (loads(settings) if loads else _loads_of_lines(source))]


def _loads_of_lines(source: Source) -> list[RawSource]:
    loads = []
    for reader in source.readers:
        match reader:
            case EventLog():
                loads.append(event_log_load(reader))
            case Snapshots():
                loads.append(snapshots_load(reader))
    return loads
