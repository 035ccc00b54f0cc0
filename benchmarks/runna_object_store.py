"""How fast a day of Runna activity files lands from an object store, against fetching the same files and no more.

    python -m benchmarks.runna_object_store [--files 30000] [--latency 0.02] [--rounds 3]

A server in a process of its own speaks as much of S3 as reading needs, and answers after the latency. In turns:

- the floor: s3fs lists the day and fetches its files to a folder, 32 at a time; nothing is read;
- landing: `extract` with the three relations copied to Parquet by day, as in `runna_landing.py`.

The aim is that landing takes at most twice as long. The files are of about 13 kB; client, server and readers share the
cores.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import socket
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import fsspec
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from benchmarks.runna_landing import DAYS, LAPS, document_text
from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.lake.day_files import write_days
from engagement_assets.lake.lake import Lake
from tests.free_port import free_port

BUCKET, PREFIX = "bench", f"runna/activities/{DAYS[0]}"
FETCHES_AT_A_TIME = 32
DOCUMENTS = 200
PAGE = 1_000
MODIFIED = "2024-01-05T06:00:00.000Z"


class Store:
    """As much of S3 as reading needs: pages of keys, heads and objects."""

    def __init__(self, files: int, latency_s: float) -> None:
        """Make the objects."""
        draw = random.Random(20240105)
        texts = [document_text(draw, number).encode() for number in range(DOCUMENTS)]
        self.latency_s = latency_s
        self.objects = {
            f"{PREFIX}/activity-{number:06d}.json": texts[number % DOCUMENTS].replace(
                f'"activity-{number % DOCUMENTS}"'.encode(), f'"activity-{number}"'.encode()
            )
            for number in range(files)
        }
        self.keys = sorted(self.objects)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        await asyncio.sleep(self.latency_s)
        _, _, key = unquote(request.url.path).strip("/").partition("/")
        if not key:
            response = self._page(parse_qs(request.url.query))
        elif (content := self.objects.get(key)) is None:
            response = Response(status_code=404)
        else:
            headers = {
                "ETag": '"1"',
                "Last-Modified": "Fri, 05 Jan 2024 06:00:00 GMT",
                "Content-Length": str(len(content)),
            }
            response = Response(b"" if request.method == "HEAD" else content, headers=headers)
        await response(scope, receive, send)

    def _page(self, query: dict[str, list[str]]) -> Response:
        prefix = query.get("prefix", [""])[0]
        first = int(query.get("continuation-token", ["0"])[0])
        limit = min(PAGE, int(query.get("max-keys", [str(PAGE)])[0]))
        delimiter = query.get("delimiter", [""])[0]
        matching = [key for key in self.keys if key.startswith(prefix)]
        folders = sorted(
            {
                prefix + key.removeprefix(prefix).partition(delimiter)[0] + delimiter
                for key in matching
                if delimiter and delimiter in key.removeprefix(prefix)
            }
        )
        if delimiter:
            matching = [key for key in matching if delimiter not in key.removeprefix(prefix)]
        page = matching[first : first + limit]
        more = first + limit < len(matching)
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{MODIFIED}</LastModified><ETag>&quot;1&quot;</ETag>"
            f"<Size>{len(self.objects[key])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        prefixes = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        token = f"<NextContinuationToken>{first + limit}</NextContinuationToken>" if more else ""
        return Response(
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page) + len(folders)}</KeyCount>"
            f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}{prefixes}"
            "</ListBucketResult>",
            media_type="application/xml",
        )


def serve(port: int, files: int, latency_s: float) -> None:
    uvicorn.run(Store(files, latency_s), port=port, log_level="error", access_log=False)


def fetch_only(folder: Path) -> float:
    """Seconds of listing and fetching."""
    started = time.monotonic()
    filesystem = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    found = filesystem.find(f"{BUCKET}/{PREFIX}")
    targets = [str(folder / Path(key).name) for key in found]
    filesystem.get(found, targets, batch_size=FETCHES_AT_A_TIME)
    return time.monotonic() - started


def land(folder: Path, files: int) -> float:
    """Seconds of landing.

    Raises:
        ValueError: a file is missing in what has landed.
    """
    (parts := folder / "parts").mkdir()
    with Lake(str(folder / "lake")).connect("2GB", folder / "spill") as connection:
        started = time.monotonic()
        reading = runna.BatchReading(
            connection,
            Landing(f"s3://{BUCKET}"),
            DayWindow(DAYS[0], DAYS[0] + timedelta(days=1)),
            parts,
            calendar=ALL_DAYS,
            extracted_at=datetime.now(UTC),
            progress=lambda _: None,
        )
        extraction = runna.extract(reading)
        for dataset, _ in runna.DATASET_PARTS:
            write_days(connection, extraction.accepted[dataset.key], dataset.columns, DAYS[:1], folder / dataset.key)
        seconds = time.monotonic() - started
        counted = connection.execute(f"select count(*) from '{folder}/raw_runna/activity_laps/*/*.parquet'").fetchall()
    if counted != [(files * LAPS,)]:
        raise ValueError(f"{counted[0][0]} laps have landed, expected {files * LAPS}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=30_000)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds before each answer")
    parser.add_argument("--rounds", type=int, default=3, help="the median of how many, in turn")
    arguments = parser.parse_args()
    port = free_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port, arguments.files, arguments.latency))
    server.start()
    seconds: dict[str, list[float]] = {"fetching": [], "landing": []}
    try:
        _wait_for(port)
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="fetching-") as folder:
                seconds["fetching"].append(fetch_only(Path(folder)))
            with tempfile.TemporaryDirectory(prefix="landing-") as folder:
                seconds["landing"].append(land(Path(folder), arguments.files))
    finally:
        server.terminate()
        server.join()
    for name, each in seconds.items():
        print(f"{name}: {statistics.median(each):.1f} s ({', '.join(f'{value:.1f}' for value in each)})")
    ratio = statistics.median(seconds["landing"]) / statistics.median(seconds["fetching"])
    print(f"landing / fetching: {ratio:.2f} (the aim is 2)")


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"the store did not answer on port {port} within 30 s")


if __name__ == "__main__":
    main()
