"""The files in `deploy/`: what they call exists, what they set is a setting, and nothing is open that need not be."""

import os
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml
from dagster._cli import cli as dagster
from pydantic import SecretStr

from engagement_assets.commands.arguments import CODE_SERVER, DAEMON, EXPORTER, PARSERS, WEBSERVER, port_of
from engagement_assets.commands.console import with_options
from engagement_assets.installation import CONSOLE_SCRIPT, PROJECT_ROOT
from engagement_assets.settings import Settings

DEPLOY = PROJECT_ROOT / "deploy"
ANYWHERE, LOOPBACK = str(IPv4Address(0)), "127.0.0.1"
SERVICES = (CODE_SERVER, DAEMON, WEBSERVER)
SETTINGS = {name.upper() for name in Settings.model_fields}
SECRETS = {name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)}


def _yaml(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def _given(command: Sequence[str]) -> Any:
    """The arguments of a command of the console script, which it has read itself."""
    program, name, *words = command
    assert Path(program).name == CONSOLE_SCRIPT
    return PARSERS[name]().parse_args(with_options(words))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setenv("SECRETS_DIR", "")  # so that what a word sets is gone after the test


@pytest.fixture
def services() -> dict[str, Any]:
    """Of compose.yaml."""
    found: dict[str, Any] = _yaml("compose.yaml")["services"]
    return found


def test_each_container_starts_its_service_and_asks_it(services: Mapping[str, Any]) -> None:
    for name in (*SERVICES, EXPORTER):
        started, asked = _given(services[name]["command"]), _given(services[name]["healthcheck"]["test"][1:])
        assert (started.service, started.check) == (name, False)
        assert (asked.service, asked.check) == (name, True)
        # A health check asks from within, so the service listens on all addresses only for other containers.
        assert (started.listen, asked.listen) == (LOOPBACK if name == DAEMON else ANYWHERE, LOOPBACK)
        laid = [each["target"] for each in services[name].get("configs", [])]
        assert [started.workspace] == (laid or [None])


@pytest.mark.parametrize("wrong", ["SERVICE=dagit", "SERVICE=daemon RELOAD=1", "PORT=1"])
def test_a_command_that_does_not_exist_is_found(wrong: str) -> None:
    with pytest.raises(SystemExit):
        _given([CONSOLE_SCRIPT, "serve", *wrong.split()])


def test_containers_set_nothing_but_settings_and_get_nothing_but_secrets(services: Mapping[str, Any]) -> None:
    declared = _yaml("compose.yaml")["secrets"]
    for name in (*SERVICES, EXPORTER):
        assert set(services[name]["environment"]) - SETTINGS == set()
        assert set(services[name]["secrets"]) - SECRETS == set()
    assert {secret for each in services.values() for secret in each.get("secrets", [])} == set(declared)
    assert [each["secrets"] for each in (services[DAEMON], services[WEBSERVER], services[EXPORTER])] == [
        ["dagster_storage_url"]
    ] * 3
    caddyfile = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert set(services["proxy"]["environment"]) - set(re.findall(r"\{\$([A-Z_]+)", caddyfile)) == set()


def test_no_container_is_root_or_writes_outside_its_volumes(services: Mapping[str, Any]) -> None:
    assert set(services) == {*SERVICES, EXPORTER, "postgres", "proxy"}
    for container in services.values():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", container["user"])
        assert container["read_only"] is True
        assert container["cap_drop"] == ["ALL"]
        assert container["security_opt"] == ["no-new-privileges:true"]
        assert container["healthcheck"]["test"][0] == "CMD"
        assert [each["source"] for each in container["volumes"] if each["target"] == "/srv/data"] in (["data"], [])
        assert "tmp:mode=1777" in container["tmpfs"][0]


def test_only_the_proxy_is_published_and_it_asks_for_a_login(services: Mapping[str, Any]) -> None:
    assert [name for name, container in services.items() if "ports" in container] == ["proxy"]
    published = {int(port.rpartition(":")[2]) for port in services["proxy"]["ports"]}
    listens = re.findall(r"HTTPS?_PORT=(\d+)", " ".join(rest for _, rest in _instructions("ENV")))
    assert published == {int(port) for port in listens}
    closed = {name for name, network in _yaml("compose.yaml")["networks"].items() if network.get("internal")}
    assert {name for name, each in services.items() if set(each["networks"]) - closed} == {CODE_SERVER, "proxy"}
    for name in (WEBSERVER, EXPORTER):
        assert set(services["proxy"]["networks"]) & set(services[name]["networks"]) == {"frontend"}
    caddyfile = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    (site,) = re.findall(r"^\{\$SITE.*?^\}", caddyfile, re.MULTILINE | re.DOTALL)
    assert re.search(r"basic_auth \{\n\t\timport \{\$LOGINS_FILE:/run/secrets/logins\}", site)
    passed_on = re.findall(r"reverse_proxy(?: (/\w+))? \{\$\w+:(\S+)\}", site)
    ports = {name: port_of(PARSERS["serve"]().parse_args([f"--service={name}"])) for name in (EXPORTER, WEBSERVER)}
    assert passed_on == [("/metrics", f"exporter:{ports[EXPORTER]}"), ("", f"webserver:{ports[WEBSERVER]}")]
    assert caddyfile.count("reverse_proxy") == len(passed_on)


@pytest.mark.parametrize(("name", "host"), [("workspace.yaml", CODE_SERVER), ("systemd/workspace.yaml", LOOPBACK)])
def test_a_workspace_names_the_code_server(name: str, host: str) -> None:
    (location,) = yaml.safe_load((PROJECT_ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    port = int(port_of(PARSERS["serve"]().parse_args([f"--service={CODE_SERVER}"])))
    named = {"host": host, "port": port, "location_name": location["python_module"]["location_name"]}
    assert _yaml(name) == {"load_from": [{"grpc_server": named}]}


def _instructions(name: str) -> Iterator[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == name:
            yield instruction, rest


def test_the_image_copies_what_there_is_and_runs_as_nobody() -> None:
    users = [user for _, user in _instructions("USER")]
    assert users == ["10001:10001", "10001:10001"]  # the proxy, and the services
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {source for _, rest in _instructions("COPY") if "--from" not in rest for source in shlex.split(rest)[:-1]}
    assert copied == allowed
    assert [name for name in sorted(copied) if not (PROJECT_ROOT / name).exists()] == []
    (command,) = (yaml.safe_load(rest) for _, rest in _instructions("CMD"))
    assert command == [CONSOLE_SCRIPT, "--help"]
    locked = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    (removed,) = re.findall(r"uninstall --yes ([a-z -]+?) +&&", " ".join(rest for _, rest in _instructions("RUN")))
    assert [name for name in removed.split() if f"\n{name}==" not in locked] == []
    assert {"scikit-learn", "scipy", "joblib", "threadpoolctl"} < set(removed.split())


def _unit(service: str) -> dict[str, list[str]]:
    text = (DEPLOY / "systemd" / f"engagement-assets-{service}.service").read_text(encoding="utf-8")
    unit: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        unit.setdefault(key, []).append(value)
    return unit


@pytest.mark.parametrize("service", [*SERVICES, EXPORTER])
def test_a_unit_starts_its_service_with_settings_and_secrets(service: str) -> None:
    unit = _unit(service)
    (command,) = unit["ExecStart"]
    started = _given(shlex.split(command))
    assert (started.service, started.listen, started.check) == (service, LOOPBACK, False)
    assert bool(started.workspace) is (service in {DAEMON, WEBSERVER})
    # A word, since a line `SECRETS_DIR=` of the file would win over `Environment=`.
    assert os.environ["SECRETS_DIR"] == "%d"
    assert "Environment" not in unit
    credentials = dict(each.split(":") for each in unit["LoadCredential"])
    assert {name: Path(path).name for name, path in credentials.items()} == {name: name for name in credentials}
    assert set(credentials) - SECRETS == set()
    assert (set(credentials) == {"dagster_storage_url"}) is (service != CODE_SERVER)


@pytest.mark.parametrize("service", [*SERVICES, EXPORTER])
def test_a_unit_may_write_its_own_folder_alone(service: str) -> None:
    unit = _unit(service)
    wanted = {
        "User": ["engagement-assets"],
        "CapabilityBoundingSet": [""],
        "NoNewPrivileges": ["true"],
        "PrivateTmp": ["true"],
        "ProtectHome": ["true"],
        "ProtectSystem": ["strict"],
        "StateDirectory": ["engagement-assets"],
        "UMask": ["0077"],
    }
    assert {key: unit[key] for key in wanted} == wanted
    assert {"ReadWritePaths", "AmbientCapabilities"} & set(unit) == set()


def test_the_chart_gets_what_the_projects_own_settings_say() -> None:
    values = _yaml("helm-values.yaml")
    ours = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    custom = values["runLauncher"]["config"]["customRunLauncher"]
    assert {"module": custom["module"], "class": custom["class"]} == ours["run_launcher"]
    custom = values["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    assert {"module": custom["module"], "class": custom["class"]} == ours["run_coordinator"]
    assert values["additionalInstanceConfig"]["concurrency"] == ours["concurrency"]
    monitoring = {
        re.sub("[A-Z]", lambda letter: "_" + str(letter[0]).lower(), name): value
        for name, value in values["dagsterDaemon"]["runMonitoring"].items()
    }
    assert monitoring.items() <= ours["run_monitoring"].items()
    assert values["dagsterDaemon"]["runRetries"] == ours["run_retries"]
    assert values["telemetry"] == ours["telemetry"]


def test_the_chart_starts_what_exists_and_publishes_nothing() -> None:
    values = _yaml("helm-values.yaml")
    (server,) = values["dagster-user-deployments"]["deployments"]
    command = dagster.commands["api"]
    assert isinstance(command, click.Group)
    arguments = [*server["dagsterApiGrpcArgs"], "-p", str(server["port"])]
    read = command.commands["grpc"].make_context("grpc", arguments).params
    assert (read["location_name"], read["module_name"]) == ("engagement_assets", "engagement_assets.definitions")
    (named,) = values["dagsterWebserver"]["workspace"]["servers"]
    assert named == {"host": server["name"], "port": server["port"], "name": read["location_name"]}
    assert {each["name"] for each in server["env"]} - SETTINGS == set()
    for pod in (server, values["dagsterWebserver"], values["dagsterDaemon"]):
        assert (pod["podSecurityContext"]["runAsNonRoot"], pod["podSecurityContext"]["runAsUser"]) == (True, 10001)
        closed = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert pod["securityContext"] == closed
        mounted = {each["name"]: each["mountPath"] for each in pod["volumeMounts"] if "subPath" not in each}
        assert set(mounted) <= {each["name"] for each in pod["volumes"]}
        assert mounted["home"] == values["global"]["dagsterHome"]
    assert values["dagsterWebserver"]["service"]["type"] == "ClusterIP"
    assert values["ingress"]["enabled"] is False


def test_the_chart_and_the_image_have_the_versions_of_this_project() -> None:
    text = (DEPLOY / "helm-values.yaml").read_text(encoding="utf-8")
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"--version {version('dagster')} " in text
    assert _yaml("helm-values.yaml")["dagsterWebserver"]["image"]["tag"] == project["version"]
