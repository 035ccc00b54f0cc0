"""`make audit`, `make sbom` and `make licences`, as somebody calls them, beside a server that answers as OSV does."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from engagement_assets.installation import PROJECT_ROOT

# Jinja is among what runs, the others among the tools and in Spark's extra.
IN_EACH_LOCK = ("jinja2", "pytest", "pyspark")


def _make(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of make, which installs nothing."""
    command = ["make", "--assume-old=.venv/installed", "--assume-old=.venv/installed-dev", target, *arguments]
    # Of the Python that runs the tests, wherever its environment lies.
    tools = f"BIN={Path(sys.executable).parent}"
    return subprocess.run([*command, tools], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)


@contextmanager
def _osv(vulnerable: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that knows a vulnerability of one package, and the packages that it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = query["package"]["name"]
            asked.append(name)
            known = {"vulns": [_vulnerability(name, query["version"])]} if name == vulnerable else {}
            body = json.dumps(known).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - so named there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        finally:
            server.shutdown()


def _vulnerability(package: str, version: str) -> dict[str, object]:
    return {
        "id": "OSV-2026-1",
        "summary": "made up",
        "modified": "2026-01-01T00:00:00Z",
        "affected": [
            {
                "package": {"name": package, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}],
                "versions": [version],
            }
        ],
    }


def test_a_locked_package_with_a_vulnerability_fails_the_audit_unless_it_is_ignored() -> None:
    with _osv("jinja2") as (url, asked):
        found = _make("audit", f"OSV_URL={url}")
        ignored = _make("audit", f"OSV_URL={url}", "AUDIT_ARGS=--ignore-vuln OSV-2026-1")
    assert found.returncode != 0
    assert re.search(r"jinja2 +\S+ +OSV-2026-1 +999", found.stdout), found.stdout + found.stderr
    assert set(IN_EACH_LOCK) <= set(asked)
    assert ignored.returncode == 0, ignored.stderr


def test_a_service_that_does_not_answer_is_no_clean_audit() -> None:
    answer = _make("audit", "OSV_URL=http://127.0.0.1:9/v1/query")
    assert answer.returncode != 0
    assert "No known vulnerabilities found" not in answer.stdout + answer.stderr


def test_the_bill_of_materials_is_the_lock_and_the_same_each_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sbom.cdx.json"
    answer = _make("sbom", f"SBOM={path}")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    locked = re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^ ]+)", _text("requirements.lock"), re.MULTILINE)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "engagement-assets"
    assert sorted((each["name"], each["version"]) for each in document["components"]) == sorted(locked)
    # What would make two documents of one lock differ.
    assert "serialNumber" not in document
    assert "timestamp" not in document["metadata"]


def test_licences_are_listed_and_one_that_is_not_allowed_fails(tmp_path: Path) -> None:
    answer = _make("licences")
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^ *duckdb +\S+ +MIT", answer.stdout, re.MULTILINE)
    project = re.sub(r"^MIT License;\\\n", "", _text("pyproject.toml"), flags=re.MULTILINE)
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    refusing = subprocess.run(
        [Path(sys.executable).with_name("pip-licenses")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refusing.returncode == 1
    assert "license MIT License not in allow-only licenses was found for package" in refusing.stderr


def _text(name: str) -> str:
    return (PROJECT_ROOT / name).read_text(encoding="utf-8")
