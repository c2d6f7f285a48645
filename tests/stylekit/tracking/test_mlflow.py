from __future__ import annotations

import json
import logging
import math
import pickle
import time

import pytest
import torch
from mlflow import MlflowClient

from stylekit.errors import ConfigError, StylekitError
from stylekit.tracking import MlflowTracker, sync
from stylekit.tracking.uploader import mlflow_key


@pytest.fixture
def client(database):
    return MlflowClient(tracking_uri=database)


def again(database, **settings):
    return MlflowTracker(database, "tests", **{"system_metrics": False, "send_seconds": 60, **settings})


def history(client, run_id, key):
    return [(point.step, point.value) for point in client.get_metric_history(run_id, key)]


def test_run_has_name_tags_parent_and_status(tracker, client, tmp_path):
    parent_id = tracker.open(tmp_path / "parent", "sweep")
    tracker.close()
    run_id = tracker.open(tmp_path / "run", "name", tags={"stylekit.method": "x"}, parent_run_id=parent_id)
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("name", "RUNNING")
    assert run.data.tags["stylekit.method"] == "x"
    assert run.data.tags["mlflow.parentRunId"] == parent_id
    tracker.close("FAILED")
    tracker.close("FINISHED")  # does nothing
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.info.end_time is not None


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_what_is_added_later_leaves_status_and_end_as_they_were(tracker, database, client, tmp_path, status):
    run_id = tracker.open(tmp_path / "run", "name")
    tracker.close(status)
    before = client.get_run(run_id).info
    (tmp_path / "page.html").write_text("page")
    later = again(database)
    assert later.open(tmp_path / "run", "name", run_id, {"more": "yes"}, reopen=True) == run_id
    assert client.get_run(run_id).info.status == status
    later.log_artifact(tmp_path / "page.html", "report")
    later.close()
    after = client.get_run(run_id)
    assert (after.info.status, after.info.end_time) == (status, before.end_time)
    assert after.data.tags["more"] == "yes"
    assert [file.path for file in client.list_artifacts(run_id, "report")] == ["report/page.html"]


def test_a_run_that_is_gone_is_made_anew_and_ended(tracker, database, client, tmp_path):
    run_id = tracker.open(tmp_path, "name", tags={"stylekit.seed": "3"})
    tracker.close("FAILED")
    client.delete_run(run_id)
    later = again(database)
    new = later.open(tmp_path, "name", run_id, {"stylekit.benchmark": "one"}, reopen=True)
    later.close()
    assert new != run_id
    assert client.get_run(new).info.status == "FAILED"
    tags = client.get_run(new).data.tags
    assert (tags["stylekit.seed"], tags["stylekit.benchmark"]) == ("3", "one")


def test_a_run_that_was_killed_hard_is_ended_as_killed(database, client, tmp_path):
    tracker = again(database)
    run_id = tracker.open(tmp_path, "name")
    tracker._sender.finish(10)  # the process is gone without a word
    later = again(database)
    assert later.open(tmp_path, "name", run_id, reopen=True) == run_id
    later.close()
    assert client.get_run(run_id).info.status == "KILLED"


def test_metrics_arrive_once_with_their_steps(tracker, client, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    for step in range(1500):  # more than one call can take
        tracker.log_metrics({"train/loss": step / 2, "val/recall@1": 1.0}, step)
    tracker.close()
    assert history(client, run_id, "train/loss") == [(step, step / 2) for step in range(1500)]
    assert len(history(client, run_id, "val/recall_at_1")) == 1500
    times = [json.loads(line)["time"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    sent = [point.timestamp for point in client.get_metric_history(run_id, "train/loss")]
    assert sent == [round(moment * 1000) for moment in times]


def test_numbers_that_are_none_arrive(tracker, client, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    tracker.log_metrics({"nan": math.nan, "inf": math.inf}, 0)
    tracker.close()
    assert math.isnan(client.get_run(run_id).data.metrics["nan"])
    assert client.get_run(run_id).data.metrics["inf"] > 1e300


def test_metrics_are_sent_while_the_run_goes_on(database, client, tmp_path):
    tracker = again(database, send_seconds=0.05)
    run_id = tracker.open(tmp_path, "name")
    tracker.log_metrics({"a": 1}, 0)
    end = time.monotonic() + 20
    while not history(client, run_id, "a"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert client.get_run(run_id).info.status == "RUNNING"
    tracker.close()


def test_params_are_flat_cut_and_more_than_one_call_takes(tracker, client, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    tracker.log_hyperparams(
        {"a": {"b@c": 1, "d": {}}, "long": "x" * 7000, "many": {i: i for i in range(250)}}
    )
    tracker.close()
    params = client.get_run(run_id).data.params
    assert params["a.b_at_c"] == "1"
    assert params["a.d"] == "{}"
    assert params["long"] == "x" * 6000
    assert [params[f"many.{i}"] for i in range(250)] == [str(i) for i in range(250)]


def test_resume_logs_new_params_and_tags_changed_ones(tracker, client, database, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    tracker.log_hyperparams({"lr": 0.1, "same": 1})
    tracker.close("FAILED")
    resumed = again(database)
    assert resumed.open(tmp_path, "name", run_id) == run_id
    assert client.get_run(run_id).info.status == "RUNNING"
    resumed.log_hyperparams({"lr": 0.2, "same": 1, "new": 2})
    resumed.close()
    run = client.get_run(run_id)
    assert run.data.params == {"lr": "0.1", "same": "1", "new": "2"}
    assert run.data.tags["stylekit.param_drift"] == "lr: 0.1 -> 0.2"


def test_resumed_steps_do_not_appear_twice(tracker, client, database, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    for step in range(10):
        tracker.log_metrics({"train/loss": float(step), "perf/seconds": 1.0}, step)
    tracker.close("KILLED")
    resumed = again(database)
    resumed.open(tmp_path, "name")  # the folder knows its run
    resumed.truncate(5)
    for step in range(6, 12):  # an exact resume measures the same losses, at another speed
        resumed.log_metrics({"train/loss": float(step), "perf/seconds": 2.0}, step)
    resumed.close()
    assert history(client, run_id, "train/loss") == [(step, float(step)) for step in range(12)]
    assert history(client, run_id, "perf/seconds")[-2:] == [(10, 2.0), (11, 2.0)]


def test_lines_dropped_before_they_were_sent_never_arrive(tracker, client, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    for step in range(10):
        tracker.log_metrics({"a": 0.0}, step)
    tracker.truncate(5)
    tracker.log_metrics({"a": 1.0}, 6)
    tracker.close()
    assert history(client, run_id, "a")[-2:] == [(5, 0.0), (6, 1.0)]


def test_images_artifacts_and_data_arrive_once_even_when_logged_again_on_resume(
    tracker, client, database, tmp_path
):
    config = tmp_path / "run" / "config.yaml"
    config.parent.mkdir()
    config.write_text("seed: 0\n")
    for made in (tracker, again(database)):
        run_id = made.open(tmp_path / "run", "name")
        made.log_images("val/grid@8", torch.zeros(4, 3, 8, 8), 500)
        made.log_artifact(config)
        made.log_artifact(config.parent / "samples", folder="pictures")
        made.log_dataset("atelier", "0123abcd", {"kept": 3})
        made.close()
    images = [item.path for item in client.list_artifacts(run_id, "images")]
    assert len(images) == 2  # the picture and its thumbnail
    assert images[0].startswith("images/val~grid_at_8+step+500+")
    assert [item.path for item in client.list_artifacts(run_id)] == ["config.yaml", "images", "pictures"]
    run = client.get_run(run_id)
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("atelier", "0123abcd")
    assert json.loads(data.dataset.profile) == {"kept": 3}
    assert run.data.tags["stylekit.data_digest"] == "0123abcd"


def test_artifact_that_is_gone_is_said_and_holds_nothing_up(tracker, client, tmp_path, caplog):
    file = tmp_path / "gone.txt"
    file.write_text("")
    run_id = tracker.open(tmp_path / "run", "name")
    tracker.log_artifact(file)
    file.unlink()
    tracker.log_dataset("atelier", "0123abcd")
    tracker.close()
    assert "gone.txt" in caplog.text
    assert client.get_run(run_id).data.tags["stylekit.data_digest"] == "0123abcd"
    assert client.get_run(run_id).info.status == "FINISHED"


def test_system_metrics_go_on_counting_on_resume(database, client, tmp_path):
    for _ in range(2):
        tracker = again(database, system_metrics=True, system_seconds=0.05, send_seconds=0.05)
        run_id = tracker.open(tmp_path, "name")
        end = time.monotonic() + 20
        count = tracker._uploader.system.size
        while tracker._uploader.system.size == count:
            assert time.monotonic() < end
            time.sleep(0.05)
        tracker.close()
    steps = [step for step, _ in history(client, run_id, "system/cpu_utilization_percentage")]
    assert steps == list(range(len(steps)))
    assert len(steps) >= 2


def test_anew_makes_another_run(tracker, client, database, tmp_path):
    first = tracker.open(tmp_path, "name")
    tracker.log_metrics({"a": 1}, 0)
    tracker.close()
    other = again(database)
    second = other.open(tmp_path, "name", anew=True)
    other.log_metrics({"a": 2}, 0)
    other.close()
    assert first != second
    assert history(client, second, "a") == [(0, 2.0)]


def test_run_deleted_from_the_store_is_made_again_with_its_history(tracker, client, database, tmp_path):
    first = tracker.open(tmp_path, "name")
    tracker.log_metrics({"a": 1}, 0)
    tracker.close()
    client.delete_run(first)
    resumed = again(database)
    second = resumed.open(tmp_path, "name", first)
    resumed.log_metrics({"a": 2}, 1)
    resumed.close()
    assert second != first
    assert history(client, second, "a") == [(0, 1.0), (1, 2.0)]


def test_pickled_tracker_writes_and_the_original_sends(tracker, client, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    spawned = pickle.loads(pickle.dumps(tracker))
    spawned.log_metrics({"a": 1}, 0)
    spawned.log_hyperparams({"b": 2})
    tracker.close()
    assert history(client, run_id, "a") == [(0, 1.0)]
    assert client.get_run(run_id).data.params == {"b": "2"}


def test_sync_ends_a_run_whose_process_was_killed(tracker, client, tmp_path):
    run_id = tracker.open(tmp_path, "name")
    tracker._sender.finish(0)  # as if the process were gone
    tracker.log_metrics({"a": 1}, 0)
    tracker._uploader.save(status="RUNNING", is_status_sent=False)
    assert sync(tmp_path) == 1
    assert sync(tmp_path) == 0
    assert history(client, run_id, "a") == [(0, 1.0)]
    assert client.get_run(run_id).info.status == "KILLED"


def test_sync_of_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"tracking\.json"):
        sync(tmp_path)


def test_sync_without_a_server_says_so(database, tmp_path):
    tracker = MlflowTracker("http://127.0.0.1:9", system_metrics=False, close_seconds=1)
    tracker.open(tmp_path, "name")
    tracker.log_metrics({"a": 1}, 0)
    tracker.close()
    with pytest.raises(StylekitError, match=r"2 records .* Nothing is lost"):
        sync(tmp_path)


def test_first_use_leaves_the_terminal_clean(database, tmp_path, capfd, caplog):
    with caplog.at_level(logging.INFO):
        tracker = again(database)
        tracker.open(tmp_path, "name")
        tracker.log_images("grid", torch.zeros(1, 3, 8, 8), 0)
        tracker.close()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("train/loss", "train/loss"),
        ("recall@10", "recall_at_10"),
        ("/a//b/../c", "a/b/c"),
        ("mAP (full) %", "mAP _full_ _"),
        ("größe", "gr__e"),
        ("", "_"),
        ("x" * 300, "x" * 250),
    ],
)
def test_keys_become_ones_that_mlflow_takes(key, expected):
    assert mlflow_key(key) == expected


def test_logging_costs_training_next_to_nothing(tracker, tmp_path):
    tracker.open(tmp_path, "name")
    metrics = {f"train/term_{index}": index / 3 for index in range(10)}
    seconds = []
    for step in range(500):
        began = time.perf_counter()
        tracker.log_metrics(metrics, step)
        seconds.append(time.perf_counter() - began)
    assert sorted(seconds)[250] < 0.03 * 0.020  # 3 % of a step of 20 ms
