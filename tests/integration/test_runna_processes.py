"""Runna files read by more than one process."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.runna.processes import HelperDiedError

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 5)
FILES = 300


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A batch that is large enough for helpers; every tenth file is bad, every seventh a duplicate."""
    monkeypatch.setattr(runna, "_MIN_FILES_FOR_HELPERS", FILES)
    monkeypatch.setattr(runna, "_FILES_PER_PROGRESS_LINE", FILES)
    batch = tmp_path / "landing" / "runna" / "activities" / DAY.isoformat()
    batch.mkdir(parents=True)
    for number in range(FILES):
        activity = 0 if number % 7 == 0 else number
        content = f'{{"activityId": {activity}, "userId": 1, "laps": [{{"distance": {number}}}, 3]}}'
        (batch / f"{number:03}.json").write_text("x" if number % 10 == 0 else content, encoding="utf-8")
    return tmp_path / "landing"


def extracted(landing: Path, workdir: Path, processes: int) -> list[list[tuple[Any, ...]]]:
    workdir.mkdir()
    lines: list[str] = []
    with duckdb.connect() as connection:
        reading = runna.BatchReading(
            connection,
            Landing(str(landing)),
            DayWindow(DAY, date(2024, 1, 6)),
            workdir,
            calendar=ALL_DAYS,
            extracted_at=datetime(2024, 1, 6, tzinfo=UTC),
            processes=processes,
            progress=lines.append,
        )
        extraction = runna.extract(reading)
        assert lines == [f"raw_runna/activities {DAY}: {FILES} of {FILES} files"]
        assert len(list(workdir.glob("laps-*.parquet"))) == processes
        queries = [*extraction.accepted.values(), extraction.rejected, extraction.counts]
        return [connection.execute(f"from ({query}) order by all").fetchall() for query in queries]


def test_the_number_of_processes_does_not_change_the_outcome(landing: Path, tmp_path: Path) -> None:
    alone = extracted(landing, tmp_path / "alone", processes=1)
    assert extracted(landing, tmp_path / "together", processes=3) == alone
    assert [len(rows) for rows in alone] == [233, 233, 0, 300, 3]


def test_a_helper_that_dies_fails_the_load_with_its_last_words(
    landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_another(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        dying = "import sys; sys.stdin.readline(); sys.exit('MemoryError: no more')"
        return popen([command[0], "-c", dying], **options)

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start_another)
    with pytest.raises(HelperDiedError) as died:
        extracted(landing, tmp_path / "work", processes=2)
    assert str(died.value) == (
        "a process that reads Runna files ended with exit code 1 between "
        f"runna/activities/{DAY}/000.json and runna/activities/{DAY}/063.json; "
        "nothing of this load is published. Its last words: MemoryError: no more. "
        "Run the load again; signal 9 mostly means that memory ran out: set EXTRACT_PROCESSES=1"
    )


def test_a_helper_that_is_killed_says_by_which_signal(
    landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killing = "import os; os.kill(os.getpid(), 9)"
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda _, **options: popen([sys.executable, "-c", killing], **options),
    )
    with pytest.raises(HelperDiedError, match="was killed by signal 9 between"):
        extracted(landing, tmp_path / "work", processes=2)
