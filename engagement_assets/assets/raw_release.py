"""A run of a raw asset that releases held days.

Belongs here: what Dagster records about a release. Not here: the release itself (see `lake/held_days.py`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import not_judged
from engagement_assets.assets.raw_source import RawRun
from engagement_assets.contracts import check_metadata
from engagement_assets.lake.held_days import NeverLoadedError, release
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.shown_text import LONGEST_SENTENCE, as_markdown


def release_held_days(run: RawRun, reason: str) -> Iterator[dg.MaterializeResult[Any]]:
    """Put the held days of the window into the lake; days that are not held stay as they are.

    The checks are not evaluated again: each passes and says that somebody has released these days, and why.

    Raises:
        dagster.Failure: there is no reason, or the lake has no data of a day, neither held nor published.
    """
    if not reason.strip():
        raise dg.Failure(
            "release_reason is empty, expected why the held days are released. Fill it in and launch this again. "
            "Nothing has been released",
            allow_retries=False,
        )
    source, days = run.source, run.source.days_of(run)
    with run.open_load() as load:
        try:
            released = release(load, source.datasets, days, reason)
        except NeverLoadedError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
    named = [day.isoformat() for day in released if day != WHOLE_DATASET_DAY]
    why = as_markdown(reason, LONGEST_SENTENCE)
    outcome = f"released{f': {len(named)} days' if named else ''} ({why})" if released else "nothing was held"
    run.progress(f"{source.load_name}: {outcome}{': ' if named else ''}{', '.join(named)}")
    still_held = run.held_days()
    for dataset in source.datasets:
        yield dg.MaterializeResult(
            asset_key=dataset.key.split("/"),
            metadata={"released_days": named, "release_reason": reason, check_metadata.HELD_DAYS: still_held},
            check_results=not_judged(run.context, dataset, (), days, outcome),
        )
