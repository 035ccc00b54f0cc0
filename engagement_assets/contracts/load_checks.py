"""The checks of a load: their names, what each checks, and its severity unless a setting gives another.

Belongs here: the definitions, whose names settings may use. Not here: the code that judges (`checks/`).
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What happens to a failing day: it passes with a warning, or is held."""

    WARN = "warn"
    HALT = "halt"


@dataclass(frozen=True)
class CheckDefinition:
    """One check: its name, what it checks, and the severity of a finding that has none of its own."""

    name: str
    description: str
    severity: Severity


RECONCILES = CheckDefinition(
    "reconciles",
    "Every record that was read is accepted, quarantined, a duplicate or of an erased person; counted in the staged "
    "files.",
    Severity.HALT,
)
REJECTED_SHARE = CheckDefinition(
    "rejected_share",
    "Nearly all records of a day can be used. A share of rejected ones above REJECTED_SHARE_WARN warns; one above "
    "REJECTED_SHARE_HALT holds the day, if it has REJECTED_SHARE_MIN_RECORDS records or more. A load that accepts no "
    "record of a dataset is held, however few were rejected. Records outside of the calendar always warn, and hold no "
    "day that has others.",
    Severity.WARN,
)
SCHEMA_DRIFT = CheckDefinition(
    "schema_drift",
    "Every field is one that the contract names (a new one warns), and no required field is missing from all records "
    "of a day (which holds the day, if it has ten records or more).",
    Severity.WARN,
)
VOLUME_AS_EXPECTED = CheckDefinition(
    "volume_as_expected",
    "The rows of a day are near the median of the same weekday in the eight weeks before it.",
    Severity.WARN,
)
HAS_NOT_SHRUNK = CheckDefinition(
    "has_not_shrunk",
    "No published or held record of a batch of landing files is missing because its file has gone. A service still "
    "returns at least four of five records that it returned before. allow_shrink says that a loss is intended.",
    Severity.HALT,
)
EVERY_FILE_IS_READ = CheckDefinition(
    "every_file_is_read",
    "All files and folders of the source in the landing zone have paths that loads read, whatever their days.",
    Severity.WARN,
)
FILES_HOLD_WHAT_WAS_LOADED = CheckDefinition(
    "files_hold_what_was_loaded",
    "Every landing file that is still there still has the events that came from it. A lost event stays, unless "
    "allow_shrink says that the loss is intended.",
    Severity.WARN,
)
STRAVA_HAS_NO_DUPLICATE_IDS = CheckDefinition(
    "strava_has_no_duplicate_ids",
    "No activity id occurs twice in a load. One that the lake also has on a day next to the window has moved "
    "over midnight: this warns, since the tables take its newest state.",
    Severity.HALT,
)
STRAVA_WEEKLY_COUNT_AS_EXPECTED = CheckDefinition(
    "strava_weekly_count_as_expected",
    "The activities of a complete week are within the two-sided 90 % interval of the complete weeks before it.",
    Severity.WARN,
)
STRAVA_WEEKLY_KUDOS_AS_EXPECTED = CheckDefinition(
    "strava_weekly_kudos_as_expected",
    "The average kudos of a complete week are within the two-sided 90 % interval of the complete weeks before it.",
    Severity.WARN,
)
IS_FRESH = CheckDefinition(
    "is_fresh",
    "The newest day that should be there by now has been loaded: FRESHNESS_HOURS after its end, or earlier.",
    Severity.WARN,
)

# Every raw dataset has these.
STANDARD_CHECKS = (RECONCILES, REJECTED_SHARE, SCHEMA_DRIFT, VOLUME_AS_EXPECTED)
STRAVA_CHECKS = (
    STRAVA_HAS_NO_DUPLICATE_IDS,
    STRAVA_WEEKLY_COUNT_AS_EXPECTED,
    STRAVA_WEEKLY_KUDOS_AS_EXPECTED,
)
CHECK_NAMES = frozenset(
    check.name
    for check in (
        *STANDARD_CHECKS,
        *STRAVA_CHECKS,
        HAS_NOT_SHRUNK,
        EVERY_FILE_IS_READ,
        FILES_HOLD_WHAT_WAS_LOADED,
        IS_FRESH,
    )
)
