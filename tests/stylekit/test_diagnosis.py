from __future__ import annotations

import importlib.metadata
import socket
import sqlite3
from pathlib import Path

import pytest

from stylekit.cli import main
from stylekit.diagnosis import doctor
from stylekit.finding import Finding, Report


def find(report: Report, section: str, name: str = "") -> Finding:
    return next(one for one in report.findings if one.section == section and name in one.name)


@pytest.fixture
def foundations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "configs" / "foundation"
    folder.mkdir(parents=True)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").touch()
    (tmp_path / "empty").mkdir()
    (folder / "empty_one.yaml").write_text(f"_target_: torch.nn.Identity\nname_or_path: {tmp_path}/empty\n")
    (folder / "local_one.yaml").write_text(f"_target_: torch.nn.Identity\nname_or_path: {tmp_path}/weights\n")
    (folder / "hub_one.yaml").write_text("_target_: torch.nn.Identity\nname_or_path: nobody/has-this\n")
    (folder / "lost_one.yaml").write_text("_target_: torch.nn.Identity\nname_or_path: /nowhere/at/all\n")
    return tmp_path / "configs"


def test_foundations_say_what_is_there_and_what_to_fetch(foundations: Path) -> None:
    report = doctor(config_dirs=[foundations])
    assert find(report, "foundations", "local_one").state == "fine"
    hub = find(report, "foundations", "hub_one")
    assert hub.state == "absent"
    assert "hf download nobody/has-this" in hub.text
    assert find(report, "foundations", "lost_one").state == "fault"
    empty = find(report, "foundations", "empty_one")
    assert empty.state == "fault"
    assert "holds no weights" in empty.text


@pytest.mark.parametrize("version", ["2.6.2", "2.6.3"])
def test_malware_releases_are_flagged(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: version if name == "lightning" else real(name)
    )
    report = doctor()
    assert find(report, "versions", "lightning").state == "fault"
    assert "malware" in str(report)
    assert not report.is_healthy


def test_tracking_store_is_looked_at_without_making_it(tmp_path: Path) -> None:
    store = tmp_path / "deep" / "mlflow.db"
    assert find(doctor(tracking_uri=f"sqlite:///{store}"), "tracking").state == "fine"
    assert not store.parent.exists()
    text = tmp_path / "text.db"
    text.write_text("not a database " * 100)
    assert find(doctor(tracking_uri=f"sqlite:///{text}"), "tracking").state == "fault"
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("create table songs (name)")
    connection.commit()
    connection.close()
    assert "not MLflow's" in find(doctor(tracking_uri=f"sqlite:///{foreign}"), "tracking").text
    assert find(doctor(tracking_uri="./mlruns"), "tracking").state == "fault"


def test_server_is_asked_only_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert find(doctor(tracking_uri=uri), "tracking").state == "fine"
    assert find(doctor(tracking_uri=uri), "tracking").state == "fault"

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("doctor used the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    remote = find(doctor(tracking_uri="https://me:secret@mlflow.example.org"), "tracking")
    assert remote.state == "absent"
    assert "secret" not in remote.name


def test_report_reads_as_text() -> None:
    report = Report(
        (Finding("versions", "python", "fine", "3.11"), Finding("tracking", "x", "fault", "is broken"))
    )
    assert str(report) == "versions\n  python  3.11\n\ntracking\n! x       is broken\n\n1 to mend (!)"


def test_foundation_is_reported_alone_and_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    report = doctor(foundation="mini_siglip", rank=4)
    assert {one.section.partition(" (")[0] for one in report.findings} == {
        "machine", "foundation mini_siglip", "inference", "LoRA training",
        "training of the whole image tower", "how it was reckoned",
    }  # fmt: skip
    assert main(["doctor", "--foundation", "mini_siglip", "--batch", "2", "--rank", "4"]) == 0
    assert "LoRA training (64 px, batch 2, float32, rank 4)" in capsys.readouterr().out
    assert main(["doctor", "--foundation", "mini_siglp"]) == 2
    assert "mini_siglip" in capsys.readouterr().err
