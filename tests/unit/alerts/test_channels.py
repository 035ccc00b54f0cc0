"""Channels: which URL is for which, what a server's answer means, what Slack gets, and that nobody sees a secret."""

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest
from apprise.plugins.slack import NotifySlack

from engagement_assets.alerts.channels import (
    AppriseChannel,
    Channel,
    ChannelError,
    ConsoleChannel,
    FileChannel,
    MessageRefusedError,
    WebhookChannel,
    channels_of,
)
from engagement_assets.alerts.delivery import Backoff
from engagement_assets.settings import Settings
from tests.integration.alert_receiver import WEBHOOK_SECRET, Receiver, receiver
from tests.unit.alerts.alert_outcomes import CHECK, FINDING, message, transition

SECRET = "T0/B0/averysecrettoken"
SLACK_URL = f"https://hooks.slack.com/services/{SECRET}"
HOSTILE = "<!channel> <@U123> <!here> @here <https://evil.example|click> &lt; *bold*"


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def slack(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> Channel:
    """Slack as a URL of Slack names it; its server is the receiver."""
    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{there.port}/slack")
    monkeypatch.setattr(NotifySlack, "request_rate_per_sec", 0)
    return _channels(SLACK_URL)[2]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that anybody logs, however unimportant."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def _channels(urls: str, folder: Path = Path(), secret: str | None = WEBHOOK_SECRET) -> list[Channel]:
    settings = Settings(_env_file=None, alert_urls=urls, alert_webhook_secret=secret)
    channels, troubles = channels_of(settings, folder)
    assert troubles == []
    return channels


def test_without_urls_there_are_console_and_file() -> None:
    channels, troubles = channels_of(Settings(_env_file=None), Path())
    assert ([channel.name for channel in channels], troubles) == (["console", "file"], [])


def test_the_scheme_says_which_channel_a_url_is_for() -> None:
    urls = (
        f"{SLACK_URL}, webhook+https://example.com/a,b "
        "ntfy://topic\nmailto://user:pass@example.com?to=a@example.com,b@example.com"
    )
    _, _, *found = _channels(urls)
    assert [type(channel) for channel in found] == [AppriseChannel, WebhookChannel, AppriseChannel, AppriseChannel]
    assert [channel.name.split("-")[0] for channel in found] == ["slack", "webhook", "ntfy", "mailto"]
    assert [channel.name for channel in found] == [channel.name for channel in _channels(urls)[2:]]


def test_slack_keeps_the_name_under_which_older_versions_left_messages_for_it() -> None:
    assert _channels(SLACK_URL)[2].name == f"slack-{hashlib.sha256(SLACK_URL.encode()).hexdigest()[:8]}"


def test_a_url_that_is_named_twice_is_one_channel() -> None:
    assert len(_channels("ntfy://topic, ntfy://other ntfy://topic")[2:]) == 2


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        (f"https://example.com/{SECRET}", "no channel is known for it; expected https://hooks.slack.com/…"),
        (f"nonsense://{SECRET}", "no channel is known for it"),
        (f"webhook+https://example.com/{SECRET}", "it is a webhook, and ALERT_WEBHOOK_SECRET"),
        (f"https://hooks.slack.com/{SECRET}", "no channel is known for it"),
    ],
)
def test_a_url_that_no_channel_understands_is_reported_by_position_and_the_others_still_work(
    url: str, reported: str, log: io.StringIO
) -> None:
    settings = Settings(_env_file=None, alert_urls=f"ntfy://topic {url} json://127.0.0.1:1/", alert_webhook_secret=None)
    channels, (trouble,) = channels_of(settings, Path())
    assert [channel.name.split("-")[0] for channel in channels] == ["console", "file", "ntfy", "json"]
    assert trouble.startswith(f"URL number 2 of ALERT_URLS gets no alert: {reported}")
    assert SECRET not in trouble + log.getvalue()


@pytest.mark.parametrize(
    ("url", "reported"), [(f"http://host:port/{SECRET}", "is not well-formed"), (f"https:///{SECRET}", "names no host")]
)
def test_a_webhook_needs_a_well_formed_url_with_a_host(url: str, reported: str) -> None:
    settings = Settings(_env_file=None, alert_urls=f"webhook+{url}", alert_webhook_secret=WEBHOOK_SECRET)
    _, (trouble,) = channels_of(settings, Path())
    assert trouble == f"URL number 1 of ALERT_URLS gets no alert: it is a webhook whose URL {reported}"


def test_two_urls_that_run_into_each_other_are_reported() -> None:
    settings = Settings(_env_file=None, alert_urls=f"ntfy://topic, hooks.slack.com/services/{SECRET}")
    channels, troubles = channels_of(settings, Path())
    assert [channel.name for channel in channels] == ["console", "file"]
    assert troubles == [
        "URL number 1 of ALERT_URLS gets no alert: it contains a blank; each URL must begin with its scheme"
    ]


def test_a_url_that_a_library_cannot_read_is_reported_by_the_kind_of_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_service: object, _url: str) -> bool:
        raise LookupError(SECRET)

    monkeypatch.setattr("apprise.Apprise.add", broken)
    _, (trouble,) = channels_of(Settings(_env_file=None, alert_urls="ntfy://topic"), Path())
    assert trouble.startswith("URL number 1 of ALERT_URLS gets no alert: LookupError in test_channels.py, line ")


def test_a_webhook_takes_a_message_with_its_key(there: Receiver) -> None:
    _channels(there.urls)[3].send(message())
    ((channel, key, body),) = there.taken
    assert (channel, key) == ("webhook", "key-1")
    assert (body["key"], body["items"][0]["name"]) == ("key-1", "holds")


def test_nothing_in_a_message_mentions_or_links_anything_in_slack(there: Receiver, slack: Channel) -> None:
    """Slack makes a mention or link of what stands in angle brackets, or of any name where `link_names` is sent."""
    subject = msgspec.structs.replace(CHECK, name=HOSTILE)
    slack.send(message(transition(subject=subject, finding=msgspec.structs.replace(FINDING, sentence=HOSTILE))))
    ((channel, _, body),) = there.taken
    (attachment,) = body["attachments"]
    assert (channel, body["mrkdwn"]) == ("slack", False)
    assert (set(body), set(attachment)) == (
        {"mrkdwn", "attachments", "icon_url"},
        {"title", "text", "color", "footer", "footer_icon", "ts"},
    )
    escaped = "&lt;!channel&gt; &lt;@U123&gt; &lt;!here&gt; @here &lt;https://evil.example|click&gt; &amp;lt; *bold*"
    assert attachment["title"] == f"ERROR opened: raw_toy/events {escaped}"
    assert f"\n    {escaped}\n" in attachment["text"]
    assert not {"<", ">"} & set(attachment["text"])
    assert "run again    make backfill FROM=2024-01-02 TO=2024-01-02" in attachment["text"]


def test_a_message_that_is_too_long_for_slack_is_sent_in_parts(there: Receiver, slack: Channel) -> None:
    subjects = [msgspec.structs.replace(CHECK, name=f"{'x' * 5_000}{number}") for number in range(10)]
    finding = msgspec.structs.replace(FINDING, observed="o" * 600, expected="e" * 600)
    slack.send(message(*(transition(subject=subject, finding=finding) for subject in subjects)))
    parts = [body["attachments"][0]["text"] for _, _, body in there.taken]
    assert len(parts) == 2
    assert max(map(len, parts)) <= NotifySlack.body_maxlen
    assert sum(part.count("OPENED · ERROR") for part in parts) == 10


def test_apprise_hands_a_message_on_as_text(there: Receiver) -> None:
    _channels(there.urls)[2].send(message())
    ((channel, _, body),) = there.taken
    assert (channel, body["type"]) == ("json", "failure")
    assert "ERROR opened: raw_toy/events holds" in body["title"]
    assert "run again    make backfill FROM=2024-01-02 TO=2024-01-02" in body["message"]


@pytest.mark.parametrize("channel", [2, 3])
@pytest.mark.parametrize(
    ("status", "kind"), [(400, MessageRefusedError), (404, ChannelError), (429, ChannelError), (503, ChannelError)]
)
def test_an_answer_distinguishes_a_refused_message_from_a_channel_that_is_down(
    there: Receiver, channel: int, status: int, kind: type[ChannelError]
) -> None:
    there.statuses |= {"json": status, "webhook": status}
    with pytest.raises(ChannelError, match=f"answered with status {status}") as failed:
        _channels(there.urls)[channel].send(message())
    assert type(failed.value) is kind


def test_slack_says_by_its_status_why_it_takes_nothing(there: Receiver, slack: Channel) -> None:
    for status, kind in ((400, MessageRefusedError), (404, ChannelError), (429, ChannelError)):
        there.statuses["slack"] = status
        with pytest.raises(ChannelError, match=rf"slack-\w+ answered with status {status}") as failed:
            slack.send(message())
        assert type(failed.value) is kind


def test_a_webhook_that_says_how_long_to_wait_is_left_alone_that_long(there: Receiver) -> None:
    there.statuses["webhook"] = 429
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    for reported, least, most in (
        ("120", 120, 120),
        (in_a_minute, 55, 60),
        ("soon", 0, 0),
        ("99999999999", 21_600, 21_600),
    ):
        there.headers["Retry-After"] = reported
        with pytest.raises(ChannelError) as failed:
            _channels(there.urls)[3].send(message())
        assert least <= failed.value.retry_after.total_seconds() <= most
        assert Backoff().wait(0, failed.value) >= failed.value.retry_after


def test_no_secret_is_logged_or_raised(log: io.StringIO, there: Receiver, slack: Channel) -> None:
    there.statuses |= {"webhook": 500, "slack": 500}
    down = _channels(f"webhook+http://127.0.0.1:{there.port}/webhook/{SECRET}")[2]
    nobody = _channels(f"webhook+http://127.0.0.1:1/{SECRET}")[2]
    by_apprise = _channels(f"json://user:{SECRET.replace('/', '-')}@127.0.0.1:1/{SECRET}")[2]
    for channel in (down, nobody, by_apprise, slack):
        with pytest.raises(ChannelError) as failed:
            channel.send(message())
        reported = f"{failed.value!r} {failed.value.__cause__!r} {channel.name} {channel!r}"
        assert "secret" not in reported
    there.statuses.clear()
    down.send(message())
    slack.send(message())
    assert "secret" not in log.getvalue()


def test_the_file_holds_a_line_per_message(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path / "alerts.jsonl")
    channel.send(message())
    channel.send(message())
    lines = (tmp_path / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["key-1", "key-1"]
    (tmp_path / "alerts.jsonl").write_bytes(b'{"cut o')
    channel.send(message())
    cut_off, whole = (tmp_path / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert (cut_off, json.loads(whole)["key"]) == ('{"cut o', "key-1")
    with pytest.raises(ChannelError, match="cannot be written"):
        FileChannel(tmp_path / "nowhere" / "alerts.jsonl").send(message())


def test_a_console_that_takes_nothing_is_a_channel_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    closed = io.StringIO()
    closed.close()
    for stdout in (ascii_only, closed):
        monkeypatch.setattr("sys.stdout", stdout)
        with pytest.raises(ChannelError, match="standard output has not taken the message"):
            ConsoleChannel().send(message())
    took = io.StringIO()
    monkeypatch.setattr("sys.stdout", took)
    ConsoleChannel().send(message())
    assert "ALERT  ERROR opened: raw_toy/events holds" in took.getvalue()


def test_the_wait_doubles_with_jitter_up_to_a_limit() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    waits = [backoff.wait(attempts, ChannelError("down")).total_seconds() for attempts in (0, 1, 2, 50)]
    assert waits == [10, 20, 40, 600]
    assert Backoff(draw=lambda: 0.0).wait(1, ChannelError("down")).total_seconds() == 10
