"""Where MLflow keeps runs: its address, its first set-up, and what its errors mean."""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stylekit.errors import ConfigError

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "find_experiment",
    "is_refusal",
    "is_server",
    "mlflow_manners",
    "prepare_store",
    "reason",
    "shown",
    "store_uri",
]

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")

MANNERS = {
    # A lost server is found out in seconds instead of minutes; the sender does the long waiting itself.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

# Migrations of a new store, and urllib3's line for every attempt at a server that is away.
QUIET = {"mlflow": logging.WARNING, "alembic": logging.WARNING, "urllib3.connectionpool": logging.ERROR}


def store_uri(uri: str) -> str:
    """Check the address of an MLflow store and make the path in a SQLite one absolute."""
    scheme = uri.partition(":")[0].partition("+")[0].lower() if ":" in uri else ""
    if uri == "databricks" or scheme in ("http", "https", "databricks", "databricks-uc", *DATABASES[1:]):
        return uri
    if scheme == "sqlite":
        path = uri.partition("///")[2]
        if not path or path.startswith(":memory:"):
            raise ConfigError(f"tracking.uri {uri!r} names no file. Write sqlite:///FOLDER/mlflow.db.")
        return f"sqlite:///{Path(path).expanduser().absolute()}"
    if scheme in ("", "file") or len(scheme) == 1:
        raise ConfigError(
            f"tracking.uri {uri!r} is a folder, and MLflow 3 no longer writes to folders. Use a database, "
            f"sqlite:///runs/mlflow.db, or a server, http://HOST:5000. To keep the runs of an old folder, "
            f"convert it with `mlflow migrate-filestore`."
        )
    raise ConfigError(
        f"tracking.uri {uri!r}: there is no MLflow store called {scheme!r}. "
        f"Use one of {', '.join(DATABASES)}, http, https, databricks."
    )


def prepare_store(uri: str, experiment: str) -> bool:
    """Make the store and the experiment before any child process starts; whether the store answered.

    Several processes may call it at once. A server that is away is no error here: the run starts without it.
    """
    uri = store_uri(uri)
    with mlflow_manners():
        try:
            find_experiment(uri, experiment)
        except ConfigError:
            raise
        except Exception as error:  # SQL drivers, HTTP and MLflow each have their own
            if is_server(uri) and not is_refusal(error):
                return False
            raise ConfigError(f"The MLflow store {shown(uri)} cannot be used: {reason(error)}") from error
    return True


def find_experiment(uri: str, name: str) -> str:
    """Return the id of an experiment, made if it is not there."""
    from mlflow import MlflowClient

    with _only_process(uri):
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(name)
        if found is None:
            return _create_experiment(client, uri, name)
    if found.lifecycle_stage != "active":
        raise ConfigError(
            f"The MLflow experiment {name!r} was deleted. Choose another with tracking.experiment=NAME, or "
            f"bring it back: MLFLOW_TRACKING_URI={shown(uri)} mlflow experiments restore "
            f"-x {found.experiment_id}"
        )
    return str(found.experiment_id)


def is_server(uri: str) -> bool:
    """Whether the store is reached over HTTP."""
    return uri.startswith(("http", "databricks"))


def is_refusal(error: BaseException) -> bool:
    """Whether the store answered and said no, so that asking again is no use."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return isinstance(error, (FileNotFoundError, TypeError, ValueError)) and not _is_http(error)
    status: int = error.get_http_status_code()
    return 400 <= status < 500 and status not in (408, 429)


def shown(uri: str) -> str:
    """Return an address without the password in it."""
    return re.sub(r"(?<=//)[^/@]*@", "", uri) if urlsplit(uri).password else uri


def reason(error: BaseException) -> str:
    """Return the first line of what went wrong, or the system's own words where a connection failed."""
    deepest: BaseException | None = error
    while deepest is not None:
        if isinstance(deepest, OSError) and deepest.strerror:
            return deepest.strerror
        deepest = deepest.__cause__ or deepest.__context__
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


@contextmanager
def mlflow_manners() -> Iterator[None]:
    """Let MLflow be quiet and quick to give up, unless the user's environment says otherwise.

    MLflow knows these settings only as environment variables: they hold during a run and are put back.
    """
    added = [name for name in MANNERS if name not in os.environ]
    os.environ.update({name: MANNERS[name] for name in added})
    import mlflow  # noqa: F401  its import sets the level of its own logger

    before = {name: logging.getLogger(name).level for name in QUIET}
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _create_experiment(client: MlflowClient, uri: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    file = _database_file(uri)
    artifacts = None if file is None else (file.parent / "mlartifacts").as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=artifacts))
    except MlflowException as error:
        found = client.get_experiment_by_name(name) if error.error_code == "RESOURCE_ALREADY_EXISTS" else None
        if found is None:
            raise
        return str(found.experiment_id)


@contextmanager
def _only_process(uri: str) -> Iterator[None]:
    # Processes that open a new SQLite store at once break one another's migrations.
    file = _database_file(uri)
    if file is None:
        yield
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = (file.parent / f".{file.name}.lock").open("w")
    except OSError as error:
        raise ConfigError(
            f"The MLflow store {uri} cannot be used: {error}. Set tracking.uri to another."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _database_file(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _is_http(error: BaseException) -> bool:
    import requests

    return isinstance(error, requests.RequestException)
