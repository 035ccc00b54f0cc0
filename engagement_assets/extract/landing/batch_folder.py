"""Folders of landing files that are named by their day, one for each batch date.

Belongs here: which days such folders touch. Not here: what a file holds (the source's own modules).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

from engagement_assets.contracts.datasets import Dataset, SentFields
from engagement_assets.extract.landing.event_files import date_in_path
from engagement_assets.extract.landing.touched_days import EVER, Look, TouchedDays

LISTING_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class BatchFolder:
    """A landing folder `prefix` that has a folder for each batch date. Files are listed and not opened.

    `sent` says, by key of the dataset, how documents and their parts are sent.
    """

    dataset: Dataset
    prefix: str
    sent: Mapping[str, SentFields] = field(hash=False)

    def touched_days(
        self, look: Look, resume_after: str | None = None, seconds: float = LISTING_SECONDS
    ) -> tuple[TouchedDays, str | None]:
        """The days that files touch, whatever their names end with.

        The load of a day reports the files that no load reads. The newest folder is always listed. If the time is up
        before all folders are listed, this returns the name after which the next call resumes.

        Raises:
            NotADirectoryError: the landing zone does not exist.
        """
        touched = TouchedDays(look)
        started = time.monotonic()
        names = [
            name
            for name in look.landing.batch_names(self.prefix)
            if (day := date_in_path(name)) and name == day.isoformat()
        ]
        older = names[:-1]
        start = next((place for place, name in enumerate(older) if resume_after and name > resume_after), 0)
        for number, name in enumerate(chain(names[-1:], older[start:], older[:start])):
            day = date.fromisoformat(name)
            files = look.landing.files(f"{self.prefix}/{name}", ("",))
            renamed_at = look.landing.renamed_at(f"{self.prefix}/{name}", files)
            for file in files:
                arrived_at = max(file.arrived_at or EVER, renamed_at or EVER)
                touched.add(day, arrived_at)
                if arrived_at > look.settled_before:
                    touched.waiting.add(day)
            if number > 0 and time.monotonic() - started > seconds:
                return touched, name
        return touched, None
