"""What a load gives to the reader of a source.

Belongs here: what every reader needs. Not here: which days of dated files are read (`landing/event_files.py`), or what
a source looks like (its own module).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from engagement_assets.extract.landing.files import Landing


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reading of the landing zone.

    `connection` holds the tables that the queries of the extraction read, until it is closed or the same dataset is
    read again. `workdir` is an existing folder for copies of files that cannot be read where they lie. `extracted_at`
    is the time of the load. `progress` takes lines that say what is being done.
    """

    connection: duckdb.DuckDBPyConnection
    landing: Landing
    workdir: Path
    extracted_at: datetime
    progress: Callable[[str], None]
