"""The raw assets of a source, from its description.

Belongs here: which loads a source has. Not here: what a load does (the modules beside this one).
"""

import dagster as dg

from engagement_assets.assets.raw_asset import raw_asset
from engagement_assets.assets.raw_lingokids import lingokids_loads
from engagement_assets.assets.raw_mobile import mobile_loads
from engagement_assets.assets.raw_runna import runna_loads
from engagement_assets.assets.raw_strava import strava_loads
from engagement_assets.assets.raw_user_events import user_events_loads
from engagement_assets.contracts.source import Source
from engagement_assets.settings import Settings

LOADS = {
    "runna": runna_loads,
    "lingokids": lingokids_loads,
    "strava": strava_loads,
    "user_events": user_events_loads,
    "mobile": mobile_loads,
}


def raw_assets(source: Source, settings: Settings) -> list[dg.AssetsDefinition]:
    """One step per load of the source."""
    return [raw_asset(load, settings) for load in LOADS[source.name](settings)]
