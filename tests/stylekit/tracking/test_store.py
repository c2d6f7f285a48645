from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from stylekit.errors import ConfigError
from stylekit.tracking import MlflowTracker, prepare_store
from stylekit.tracking.store import mlflow_manners, shown, store_uri

FORK = multiprocessing.get_context("fork")  # a new interpreter would spend its time on imports


def test_relative_database_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store_uri("sqlite:///runs/mlflow.db") == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert store_uri("sqlite:////data/mlflow.db") == "sqlite:////data/mlflow.db"


@pytest.mark.parametrize(
    "uri", ["./mlruns", "mlruns", "file:./mlruns", "file:///data/mlruns", "C:\\mlruns", ""]
)
def test_folders_are_refused_with_the_way_out(uri):
    with pytest.raises(ConfigError, match=r"sqlite:///runs/mlflow\.db.*mlflow migrate-filestore"):
        MlflowTracker(uri)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "ftp://host"])
def test_stores_that_cannot_be_are_refused(uri):
    with pytest.raises(ConfigError, match=r"tracking\.uri"):
        store_uri(uri)


@pytest.mark.parametrize("uri", ["http://h:5000", "https://h", "postgresql+psycopg://u:p@h/db", "databricks"])
def test_servers_are_taken_as_they_are(uri):
    assert store_uri(uri) == uri


def test_password_is_not_shown():
    assert shown("https://me:secret@host:1/x") == "https://host:1/x"
    assert shown("http://host:1") == "http://host:1"


def test_manners_end_with_the_run(monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    before = dict(os.environ)
    with mlflow_manners():
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"  # the user's own stays
    assert dict(os.environ) == before


def test_four_processes_make_a_new_store_together_and_the_terminal_stays_clean(tmp_path, capfd):
    uri = f"sqlite:///{tmp_path}/a folder/mlflow.db"
    processes = [FORK.Process(target=prepare_store, args=(uri, "shared")) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=100)
    assert [process.exitcode for process in processes] == [0] * 4
    assert capfd.readouterr() == ("", "")
    from mlflow import MlflowClient

    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name("shared")
    assert experiment.artifact_location == (tmp_path / "a folder" / "mlartifacts").as_uri()


def test_unwritable_place_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"tracking\.uri"):
        prepare_store(f"sqlite:///{tmp_path}/file/mlflow.db", "tests")


def test_file_that_is_no_database_is_a_config_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database " * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        prepare_store(f"sqlite:///{tmp_path}/mlflow.db", "tests")


def test_server_that_is_away_is_no_error():
    assert prepare_store("http://127.0.0.1:9", "tests") is False


def test_deleted_experiment_says_how_to_go_on(database):
    from mlflow import MlflowClient

    assert prepare_store(database, "gone")
    client = MlflowClient(tracking_uri=database)
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    with pytest.raises(ConfigError, match="mlflow experiments restore"):
        prepare_store(database, "gone")


def test_artifacts_lie_beside_the_database(database):
    assert (Path(database.removeprefix("sqlite:///"))).is_file()
