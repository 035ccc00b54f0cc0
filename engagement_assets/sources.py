"""The sources of this project. A new one is added here; docs/extending.md leads through it.

Belongs here: the list, and what follows from it alone. Not here: what a source is (`contracts/source.py`), or how one
is read (`extract/`).
"""

from collections.abc import Mapping

from engagement_assets.contracts.datasets import Dataset, SentFields
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lingokids import LINGOKIDS
from engagement_assets.extract.mobile import MOBILE
from engagement_assets.extract.runna.source import RUNNA
from engagement_assets.extract.strava.source import STRAVA
from engagement_assets.extract.user_events.source import USER_EVENTS_SOURCE

# The area that stands on all others: a source that fails must not stop it.
CROSS_SOURCE_AREA = "engagement"
# The area of the records that loads write about themselves.
AUDIT = "audit"
# The schema of what models of this project predict.
PREDICTIONS = "predictions"

SOURCES: tuple[Source, ...] = (RUNNA, LINGOKIDS, STRAVA, USER_EVENTS_SOURCE, MOBILE)
RAW_DATASETS: tuple[Dataset, ...] = tuple(dataset for source in SOURCES for dataset in source.datasets)
LANDING_PREFIXES: tuple[str, ...] = tuple(reader.prefix for source in SOURCES for reader in source.readers)
SENT_FIELDS: Mapping[str, SentFields] = {
    key: fields for source in SOURCES for key, fields in source.sent_fields.items()
}
SOURCE_AREAS: tuple[str, ...] = tuple(source.area for source in SOURCES)
AREAS: tuple[str, ...] = (*SOURCE_AREAS, CROSS_SOURCE_AREA)


def source_named(name: str) -> Source:
    """The source of this name.

    Raises:
        KeyError: there is none.
    """
    return {source.name: source for source in SOURCES}[name]
