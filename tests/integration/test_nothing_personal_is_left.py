"""The audit of personal data over a run of all sources: everything that it writes is searched for marked values."""

from pathlib import Path
from typing import Any

import pytest

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.strava import listing
from engagement_assets.extract.user_events import extraction as user_events
from engagement_assets.per_source import PerSource
from tests.integration.services import services
from tests.integration.test_api_sources import texts_left_behind
from tests.marked_records import DAY, MARK, marked_activities, marked_events, write_marked_landing

pytestmark = pytest.mark.integration

# All sources, and one area.
SELECTION = "+group:audit or +group:mobility"
# What a key hides unless a setting says otherwise.
HIDDEN = frozenset({PersonalKind.CHILD, PersonalKind.DEVICE})


def test_a_run_leaves_no_marked_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def activities(*_: Any) -> list[Page]:
        return [Page("activities-1", marked_activities(HIDDEN), 10), Page("activities-2", [], 2)]

    def events(_api: Any, _pages: Any, window: Any) -> list[Any]:
        listed = marked_events(HIDDEN)
        return [(day, Page(f"events-{day}", listed if day == DAY else [], 10)) for day in window.days()]

    printed: list[str] = []

    def write(text: str) -> int:
        printed.append(text)
        return len(text)

    monkeypatch.setattr(listing, "read_pages", activities)
    monkeypatch.setattr(user_events, "read_pages", events)
    monkeypatch.setattr("sys.stdout.write", write, raising=False)
    (tmp_path / "all" / "landing").mkdir(parents=True)
    with services(tmp_path / "all") as running:
        write_marked_landing(tmp_path / "all" / "landing", HIDDEN)
        # More than a tenth of these records is rejected.
        running.run(DAY, DAY, SELECTION, pseudonym_key="k" * 32, rejected_share_halt=PerSource(1.0), start_date=DAY)

    rejected = running.query("select source, count(*) from audit.rejected_records group by all order by all")
    assert min(records for _, records in rejected) > 4
    assert {source for source, _ in rejected} == {"lingokids", "mobile", "runna", "strava", "user_events"}
    texts = [*texts_left_behind(tmp_path / "all"), ("printed", "".join(printed).encode())]
    found = [
        (name, text[max(0, text.index(MARK.encode()) - 60) :][:160])
        for name, text in texts
        if "/landing/" not in name and MARK.encode() in text
    ]
    assert found == []
