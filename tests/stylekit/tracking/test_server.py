"""A real mlflow server on loopback, killed in the middle of a run, and away at its beginning or end."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from contextlib import suppress

import torch
from mlflow import MlflowClient

from stylekit.tracking import MlflowTracker, sync


def history(server, run_id, key):
    client = MlflowClient(tracking_uri=server.uri)
    return [(point.step, point.value) for point in client.get_metric_history(run_id, key)]


def forward(port):
    """Make a server reachable at another port; returns the port and what opens it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))  # bound but not listening: refuses

    def pump(source, sink):
        with suppress(OSError):  # the other direction has ended
            while block := source.recv(65536):
                sink.sendall(block)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)  # not closed: its other thread may be reading it

    def serve():
        while True:
            near = listener.accept()[0]
            far = socket.create_connection(("127.0.0.1", port))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    def open_up():
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()

    return listener.getsockname()[1], open_up


def test_server_killed_in_the_middle_of_a_run(server, tmp_path, caplog):
    tracker = MlflowTracker(server.uri, "away", system_seconds=0.2, send_seconds=0.2)
    run_id = tracker.open(tmp_path, "name")
    for step in range(50):
        tracker.log_metrics({"train/loss": step / 4}, step)
    server.wait_until(lambda: len(history(server, run_id, "train/loss")) == 50, 30)

    server.kill()
    slowest, step = 0.0, 50
    end = time.monotonic() + 5
    while time.monotonic() < end:
        began = time.perf_counter()
        tracker.log_metrics({"train/loss": step / 4}, step)
        slowest = max(slowest, time.perf_counter() - began)
        step += 1
        time.sleep(0.01)
    tracker.log_images("grid", torch.zeros(1, 3, 8, 8), step)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert server.uri in said[0]
    assert "Connection refused" in said[0]
    assert str(tmp_path / "metrics.jsonl") in said[0]
    assert slowest < 0.25  # a lost server costs seconds where it is waited for
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(step))

    server.start()
    server.wait_until(lambda: len(history(server, run_id, "train/loss")) == step, 60)
    tracker.log_metrics({"train/loss": 0.0}, step)
    tracker.close()
    expected = [*((index, index / 4) for index in range(step)), (step, 0.0)]
    assert history(server, run_id, "train/loss") == expected
    system = [index for index, _ in history(server, run_id, "system/cpu_utilization_percentage")]
    assert system == list(range(len(system)))
    client = MlflowClient(tracking_uri=server.uri)
    assert client.get_run(run_id).info.status == "FINISHED"
    assert len(client.list_artifacts(run_id, "images")) == 2
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == len(said)


def test_server_away_from_beginning_to_end_is_made_up_for_by_sync(server, tmp_path, caplog):
    port, open_up = forward(server.port)
    tracker = MlflowTracker(
        f"http://127.0.0.1:{port}", "away", system_metrics=False, send_seconds=0.1, close_seconds=5
    )
    assert tracker.open(tmp_path, "name", tags={"stylekit.method": "x"}) is None
    for step in range(20):
        tracker.log_metrics({"a": float(step)}, step)
    tracker.log_hyperparams({"lr": 0.1})
    began = time.monotonic()
    tracker.close("FAILED")
    assert time.monotonic() - began < 7
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 2  # once that it is away, once what is left
    assert "22 records" in said[1]

    open_up()
    assert sync(tmp_path) == 21
    run_id = json.loads((tmp_path / "tracking.json").read_text())["run_id"]
    assert history(server, run_id, "a") == [(step, float(step)) for step in range(20)]
    run = MlflowClient(tracking_uri=server.uri).get_run(run_id)
    assert (run.info.run_name, run.info.status, run.data.params) == ("name", "FAILED", {"lr": "0.1"})
    assert run.data.tags["stylekit.method"] == "x"


def test_run_is_created_when_the_server_comes(server, tmp_path):
    port, open_up = forward(server.port)
    tracker = MlflowTracker(f"http://127.0.0.1:{port}", "away", system_metrics=False, send_seconds=0.1)
    assert tracker.open(tmp_path, "name") is None
    tracker.log_metrics({"a": 1.0}, 0)
    open_up()
    server.wait_until(lambda: tracker.run_id is not None, 30)
    tracker.close()
    assert history(server, tracker.run_id, "a") == [(0, 1.0)]


def test_server_that_never_answers_holds_up_neither_start_nor_end(tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))  # takes connections and says nothing
    tracker = MlflowTracker(
        f"http://127.0.0.1:{listener.getsockname()[1]}", system_metrics=False, open_seconds=1, close_seconds=1
    )
    began = time.monotonic()
    assert tracker.open(tmp_path, "name") is None
    tracker.log_metrics({"a": 1.0}, 0)
    tracker.close()
    assert time.monotonic() - began < 6
    listener.close()
