"""Send what the journals of a run folder hold to MLflow, each record once."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylekit.run import write_atomically
from stylekit.tracking.journal import Journal, Line
from stylekit.tracking.store import find_experiment, is_refusal, reason

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Marker", "Uploader", "mlflow_key"]

METRICS_PER_CALL = 1000  # limits of MLflow's log_batch
PARAMS_PER_CALL = 100
MAX_PARAM = 6000
MAX_TAG = 5000
MAX_KEY = 250

SAVING = threading.Lock()  # both the thread that trains and the one that sends save markers

logger = logging.getLogger("stylekit.tracking")


@dataclass
class Marker:
    """What tracking.json says: the MLflow run of this folder and how many bytes of each journal it has."""

    uri: str
    experiment: str
    run_name: str
    tags: dict[str, str] = field(default_factory=dict)
    run_id: str | None = None
    status: str = "RUNNING"
    is_status_sent: bool = False
    sent: dict[str, int] = field(default_factory=dict)


class Uploader:
    """Reads the journals from where the marker stands; whoever calls it deals with errors and time."""

    def __init__(self, run_dir: Path, marker: Marker) -> None:
        self.run_dir = run_dir
        self.marker = marker
        self.metrics = Journal(run_dir / "metrics.jsonl")
        self.system = Journal(run_dir / "system_metrics.jsonl")
        self.outbox = Journal(run_dir / "outbox.jsonl")
        self.dropped = Journal(run_dir / "metrics.dropped.jsonl")
        self._client: MlflowClient | None = None
        self._repeated = {point for line in self.dropped for point in _points(line)}

    @classmethod
    def load(cls, run_dir: Path) -> Uploader | None:
        """Take up the folder of an earlier process."""
        file = run_dir / "tracking.json"
        return cls(run_dir, Marker(**json.loads(file.read_text()))) if file.is_file() else None

    def save(self, **changes: Any) -> None:
        """Change the marker and write tracking.json."""
        with SAVING:
            for name, value in changes.items():
                setattr(self.marker, name, value)
            write_atomically(self.run_dir / "tracking.json", json.dumps(asdict(self.marker), indent=2) + "\n")

    def connect(self) -> None:
        """Find the run on the store, or create it and begin from the first record."""
        if self._client is not None:
            return
        from mlflow import MlflowClient
        from mlflow.entities import RunTag

        marker = self.marker
        experiment_id = find_experiment(marker.uri, marker.experiment)
        client = MlflowClient(tracking_uri=marker.uri)
        if marker.run_id is not None and _is_there(client, marker.run_id):
            if marker.status == "RUNNING":
                client.update_run(marker.run_id, status="RUNNING")
            client.log_batch(marker.run_id, tags=[RunTag(key, text) for key, text in marker.tags.items()])
        else:
            tags: dict[str, Any] = dict(marker.tags)
            run = client.create_run(experiment_id, tags=tags, run_name=marker.run_name)
            self._forget_dropped()
            self.save(run_id=run.info.run_id, sent={}, is_status_sent=False)
        self._client = client

    def disconnect(self) -> None:
        """Look for the run anew next time: a server may come back with another store."""
        self._client = None

    @property
    def num_left(self) -> int:
        """How many records MLflow does not have, the status included."""
        journals = (self.outbox, self.metrics, self.system)
        num_records = sum(_num_lines(journal, self._place(journal)) for journal in journals)
        return num_records + (not self.marker.is_status_sent)

    def truncate(self, step: int, is_before: Callable[[Mapping[str, Any], int], bool]) -> None:
        """Drop the metrics after a step, keeping aside those that MLflow has: it cannot forget them."""
        place, dropped = self.metrics.keep(lambda line: is_before(line, step), self._place(self.metrics))
        for line in dropped:
            self.dropped.append(line)
            self._repeated |= set(_points(line))
        self._moved(self.metrics, place)

    def send(self, is_over: Callable[[], bool] = lambda: False) -> int:
        """Send all that is there, or as much as there is time for; returns the number of records sent."""
        num_sent = self._send_entries(is_over)
        for journal in (self.metrics, self.system):
            while not is_over() and (lines := journal.read(self._place(journal))):
                num_sent += self._send_metrics(journal, lines)
        return num_sent

    def finish(self) -> None:
        """Give the run its final status, if it does not have it."""
        if self.marker.is_status_sent:
            return
        client, run_id = self._run()
        client.set_terminated(run_id, self.marker.status)
        self.save(is_status_sent=True)

    def close(self) -> None:
        """Close the journals."""
        for journal in (self.metrics, self.system, self.outbox, self.dropped):
            journal.close()

    def _place(self, journal: Journal) -> int:
        place = self.marker.sent.get(journal.path.name, 0)
        return place if place <= journal.size else 0

    def _moved(self, journal: Journal, place: int) -> None:
        self.save(sent={**self.marker.sent, journal.path.name: place})

    def _send_metrics(self, journal: Journal, lines: list[Line]) -> int:
        from mlflow.entities import Metric

        client, run_id = self._run()
        batch: list[Metric] = []
        num_lines, place = 0, 0
        for record, end in lines:
            metrics = record.get("metrics", {})
            if num_lines and len(batch) + len(metrics) > METRICS_PER_CALL:
                break
            num_lines, place = num_lines + 1, end
            step, timestamp = record.get("step") or 0, round(record.get("time", 0) * 1000)
            for key, value in metrics.items():
                if (key, step, value) not in self._repeated:
                    batch.append(Metric(mlflow_key(key), float(value), timestamp, step))
        for start in range(0, len(batch), METRICS_PER_CALL):
            client.log_batch(run_id, metrics=batch[start : start + METRICS_PER_CALL])
        self._moved(journal, place)
        return num_lines

    def _send_entries(self, is_over: Callable[[], bool]) -> int:
        num_sent = 0
        while not is_over() and (lines := self.outbox.read(self._place(self.outbox))):
            for entry, end in lines:
                if is_over():
                    break
                try:
                    self._send_entry(entry)
                except Exception as error:  # whatever an artifact store raises
                    if not is_refusal(error):
                        raise
                    logger.warning("MLflow does not take %s: %s", _named(entry), reason(error))
                self._moved(self.outbox, end)
                num_sent += 1
        return num_sent

    def _send_entry(self, entry: Mapping[str, Any]) -> None:
        match entry.get("kind"):
            case "params":
                self._send_params(entry["params"])
            case "image":
                self._send_image(entry)
            case "artifact":
                self._send_artifact(entry)
            case "dataset":
                self._send_dataset(entry)

    def _send_params(self, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        client, run_id = self._run()
        known = client.get_run(run_id).data.params
        wanted = {mlflow_key(key): value[:MAX_PARAM] for key, value in params.items()}
        new = [Param(key, value) for key, value in wanted.items() if key not in known]
        for start in range(0, len(new), PARAMS_PER_CALL):
            client.log_batch(run_id, params=new[start : start + PARAMS_PER_CALL])
        drift = {key: value for key, value in wanted.items() if known.get(key, value) != value}
        changed = [f"{key}: {known[key]} -> {value}" for key, value in drift.items()]
        if changed:
            client.set_tag(run_id, "stylekit.param_drift", "; ".join(changed)[:MAX_TAG])

    def _send_image(self, entry: Mapping[str, Any]) -> None:
        from PIL import Image

        client, run_id = self._run()
        with Image.open(self.run_dir / entry["file"]) as image:
            key, moment = mlflow_key(entry["key"]).replace(":", "_"), round(entry["time"] * 1000)
            client.log_image(run_id, image, key=key, step=entry["step"], timestamp=moment)

    def _send_artifact(self, entry: Mapping[str, Any]) -> None:
        client, run_id = self._run()
        path = self.run_dir / entry["file"]
        if path.is_dir():
            client.log_artifacts(run_id, str(path), artifact_path=entry["folder"] or path.name)
        else:
            client.log_artifact(run_id, str(path), artifact_path=entry["folder"])

    def _send_dataset(self, entry: Mapping[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        client, run_id = self._run()
        dataset = Dataset(
            name=entry["name"][:500],
            digest=entry["digest"][:36],
            source_type="stylekit",
            source=json.dumps({"name": entry["name"]}),
            profile=json.dumps(entry["counts"]),
        )
        context = InputTag("mlflow.data.context", "training")
        client.log_inputs(run_id, datasets=[DatasetInput(dataset, [context])])
        client.set_tag(run_id, "stylekit.data_digest", entry["digest"])

    def _run(self) -> tuple[MlflowClient, str]:
        assert self._client is not None
        assert self.marker.run_id is not None
        return self._client, self.marker.run_id

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None}

    def _forget_dropped(self) -> None:
        # A new MLflow run has none of the points that an earlier one had.
        self.dropped.close()
        self.dropped.path.unlink(missing_ok=True)
        self._repeated = set()


def mlflow_key(key: str) -> str:
    """Turn a name into one that MLflow takes: recall@1 becomes recall_at_1."""
    plain = re.sub(r"[^0-9A-Za-z_\-. :/]", "_", key.replace("@", "_at_"))
    parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[-MAX_KEY:].lstrip("/") or "_"


def _is_there(client: MlflowClient, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _num_lines(journal: Journal, place: int) -> int:
    num_lines = 0
    while lines := journal.read(place):
        num_lines += len(lines)
        place = lines[-1].end
    return num_lines


def _points(line: Mapping[str, Any]) -> list[tuple[str, int, float | str]]:
    return [(key, line.get("step") or 0, value) for key, value in line.get("metrics", {}).items()]


def _named(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('kind')} {entry.get('key') or entry.get('file') or entry.get('name') or ''}".strip()
