from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import LightningModule, Trainer

from stylekit.errors import ConfigError
from stylekit.tracking import LocalTracker


@pytest.fixture
def tracker(tmp_path):
    made = LocalTracker()
    made.open(tmp_path / "run", "name")
    yield made
    made.close()


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        self.log("train/index", float(index))
        return self.layer(batch).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_every_call_is_one_line(tracker, tmp_path):
    tracker.log_metrics({"train/loss": 1.5, "train/recall@1": torch.tensor(2.0)}, 7)
    tracker.log_metrics({"train/loss": float("nan")})
    first, second = lines(tmp_path / "run")
    assert (first["step"], first["metrics"]) == (7, {"train/loss": 1.5, "train/recall@1": 2.0})
    assert (second["step"], second["metrics"]) == (None, {"train/loss": "NaN"})
    assert first["time"] <= second["time"]


def test_offset_moves_all_steps(tracker, tmp_path):
    tracker.offset = 100
    tracker.log_metrics({"a": 1}, 7)
    tracker.log_images("grid", torch.zeros(1, 3, 4, 4), 7)
    assert lines(tmp_path / "run")[0]["step"] == 107
    assert (tmp_path / "run" / "samples" / "step=00000107" / "grid.png").is_file()


def test_lightning_logs_through_it_and_its_finalize_does_not_end_the_run(tracker, tmp_path):
    data = torch.utils.data.DataLoader(torch.zeros(4, 1))
    for _ in range(2):
        trainer = Trainer(
            accelerator="cpu", logger=tracker, max_steps=4, log_every_n_steps=2, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip
        trainer.fit(Line(), data)
        tracker.offset += 4
    found = [(line["step"], line["metrics"]["train/index"]) for line in lines(tmp_path / "run")]
    assert found == [(1, 1.0), (3, 3.0), (5, 1.0), (7, 3.0)]


def test_truncate_drops_what_came_after_the_step(tracker, tmp_path):
    for step in range(5):
        tracker.log_metrics({"a": step}, step)
    tracker.truncate(2)
    tracker.log_metrics({"a": 30.0}, 3)
    assert [line["metrics"]["a"] for line in lines(tmp_path / "run")] == [0, 1, 2, 30]


def log_and_die(folder):
    tracker = LocalTracker()
    tracker.open(folder, "name")
    for step in range(100):
        tracker.log_metrics({"a": step}, step)
    os.kill(os.getpid(), signal.SIGKILL)


def test_metrics_survive_a_kill(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=log_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [line["step"] for line in lines(tmp_path)] == list(range(100))


def test_reopened_folder_goes_on_and_anew_begins_again(tmp_path):
    for anew, expected in ((False, 1), (False, 2), (True, 1)):
        tracker = LocalTracker()
        tracker.open(tmp_path, "name", anew=anew)
        tracker.log_metrics({"a": 1}, 0)
        tracker.close()
        assert len(lines(tmp_path)) == expected


def test_image_names_are_safe_file_names(tracker, tmp_path):
    path = tracker.log_images("../val/@ top", torch.zeros(2, 3, 4, 4), 500)
    assert path == tmp_path / "run" / "samples" / "step=00000500" / ".._val_top.png"
    assert path.is_file()


def test_other_ranks_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    tracker = LocalTracker()
    assert tracker.open(tmp_path / "run", "name") is None
    tracker.log_metrics({"a": 1}, 0)
    tracker.log_images("grid", torch.zeros(1, 3, 4, 4), 0)
    tracker.close()
    assert not (tmp_path / "run").exists()


def test_logging_before_open_says_what_to_do():
    with pytest.raises(ConfigError, match=r"tracker\.open"):
        LocalTracker().log_metrics({"a": 1}, 0)


@pytest.mark.slow
def test_local_tracker_does_not_import_mlflow():
    code = (
        "import sys, stylekit.tracking; stylekit.tracking.LocalTracker(); sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
