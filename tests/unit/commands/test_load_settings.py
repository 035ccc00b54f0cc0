"""Wrong settings end a command with a sentence for each, and without a traceback."""

from pathlib import Path

import pytest

from engagement_assets.commands.process import load_settings


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("SCHEDULE_TIME_ZONE", "Mars", "expected the name of a time zone, such as Europe/Berlin, found 'Mars'"),
        ("ALERT_REPEAT_HOURS", "-1", "Input should be greater than 0, found '-1'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected_and_found(
    name: str, text: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, text)
    monkeypatch.setenv("SCHEDULE_HOUR", "24")
    with pytest.raises(SystemExit) as ended:
        load_settings(_env_file=None)
    assert ended.value.code == 2
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(
        [
            f"error: {name}: {message}",
            "error: SCHEDULE_HOUR: Input should be less than or equal to 23, found '24'",
        ]
    )


def test_right_settings_are_read_and_those_that_are_given_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALERT_REPEAT_HOURS", "12")
    monkeypatch.setenv("LANDING_URI", str(tmp_path))
    settings = load_settings(_env_file=None, landing_uri="")
    assert (settings.alert_repeat_hours, settings.runs_on_sample_data) == (12, True)
