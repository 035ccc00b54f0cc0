"""What a load gives to the reader of a source.

Belongs here: what every reader needs. Not here: which days of dated files are read (`landing/event_files.py`), or what
a source looks like (its own module).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from engagement_assets.extract.landing.files import Landing, LandingFile


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reading of the landing zone.

    `connection` holds the tables that the queries of the extraction read, until it is closed or the same dataset is
    read again. `workdir` is an existing folder for copies of files that cannot be read where they lie. `extracted_at`
    is the time of the load. `progress` takes lines that say what is being done. A file of a local zone that arrived
    after `settled_before` may still be written; None if no file is.
    """

    connection: duckdb.DuckDBPyConnection
    landing: Landing
    workdir: Path
    extracted_at: datetime
    progress: Callable[[str], None]
    settled_before: datetime | None = None

    def may_still_be_written(self, file: LandingFile) -> bool:
        """Whether the file has arrived so lately that it must be read in one go; an object store shows whole files."""
        if self.settled_before is None or file.arrived_at is None or not self.landing.is_local:
            return False
        return file.arrived_at > self.settled_before
