import importlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from stylekit.config import compose_group
from stylekit.errors import ConfigError, StylekitError
from stylekit.learned import load_method
from stylekit.run import Run
from stylekit.training import train

STEPS = 12


@pytest.fixture(scope="module")
def settings(tiny_siglip: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that make megastyle_encoder a matter of a second."""
    return [
        f"foundation.name_or_path={tiny_siglip}",
        f"data.cache_dir={tmp_path_factory.mktemp('cache')}",
        "data.source.num_styles=24",
        "data.source.contents_per_style=4",
        "data.source.num_contents=40",
        "data.source.held_out_styles=8",
        "data.source.cache_images=1000",
        "data.image_size=64",
        "data.styles_per_batch=6",
        "data.val_styles=4",
        "tracking=local",
        "trainer.enable_progress_bar=false",
        "trainer.log_every_n_steps=1",
        f"stages.sscl.max_steps={STEPS}",
        "stages.sscl.warmup_steps=2",
        "stages.sscl.checkpoint_every=3",
        "stages.sscl.validate_every=4",
        "stages.sscl.ema_decay=0.9",
        "trainer.accelerator=cpu",
    ]


@pytest.fixture(scope="module")
def uninterrupted(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("megastyle_encoder", *settings, f"runs={tmp_path_factory.mktemp('uninterrupted')}")


def learned(run: Run) -> dict[str, torch.Tensor]:
    return dict(torch.load(run.final_checkpoint, weights_only=True)["state_dict"])


def journal(run: Run) -> list[tuple[int, str, float]]:
    """All that was logged and is a function of the config: not the clock, not the memory."""
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return [
        (row["step"], name, value)
        for row in rows
        for name, value in sorted(row["metrics"].items())
        if not name.startswith("perf/")
    ]


def test_run_folder_holds_what_a_user_looks_for(uninterrupted: Run) -> None:
    state = uninterrupted.read()
    assert state is not None
    assert (state.status, state.stages_done, state.method) == ("finished", ["sscl"], "megastyle_encoder")
    assert uninterrupted.config_file.is_file()
    assert (uninterrupted.path.parent / "latest").resolve() == uninterrupted.path.resolve()
    names = {name for _, name, _ in journal(uninterrupted)}
    assert {"train/loss", "train/scl", "train/itc", "train/grad_norm", "val/loss", "val/recall_at_1"} <= names
    assert list((uninterrupted.path / "samples").rglob("*.png"))


def test_checkpoint_holds_the_image_tower_and_nothing_frozen(uninterrupted: Run) -> None:
    names = set(learned(uninterrupted))
    assert names
    assert all(name.startswith("foundation.model.vision_model.") for name in names)
    inside = uninterrupted.last_checkpoint("sscl")
    assert inside is not None
    assert set(torch.load(inside, weights_only=True)["state_dict"]) == names


def test_finished_run_is_not_trained_again(uninterrupted: Run, settings: list[str]) -> None:
    before = uninterrupted.state_file.stat().st_mtime_ns
    again = train("megastyle_encoder", *settings, f"runs={uninterrupted.path.parents[1]}")
    assert again.path == uninterrupted.path
    assert again.state_file.stat().st_mtime_ns == before


def test_loaded_method_embeds_as_the_learned_weights_do(uninterrupted: Run, settings: list[str]) -> None:
    method = load_method(uninterrupted.path)
    state = method.state_dict()
    for name, value in learned(uninterrupted).items():
        assert torch.equal(state[name], value)
    assert not any(parameter.requires_grad for parameter in method.parameters())


def test_checkpoint_with_a_wrong_key_is_refused_by_name(uninterrupted: Run) -> None:
    path = uninterrupted.final_checkpoint
    whole = path.read_bytes()
    checkpoint = torch.load(path, weights_only=True)
    lost = sorted(checkpoint["state_dict"])[0]
    checkpoint["state_dict"]["surplus"] = checkpoint["state_dict"].pop(lost)
    torch.save(checkpoint, path)
    try:
        with pytest.raises(ConfigError, match=f"missing: {lost}\n  unexpected: surplus"):
            load_method(uninterrupted.path)
    finally:
        path.write_bytes(whole)


def test_run_killed_again_and_again_ends_with_the_same_bits(
    uninterrupted: Run, settings: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "stylekit", "train", "megastyle_encoder", *settings, f"runs={tmp_path}"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for num_steps in (4, 8):  # behind the checkpoints at 3 and 6, so that steps are lost and done again
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            wait_for_step(tmp_path, num_steps, process)
            process.send_signal(signal.SIGKILL)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    run = Run.find(next(tmp_path.glob("megastyle_encoder/latest")).resolve())
    expected = learned(uninterrupted)
    assert learned(run).keys() == expected.keys()
    for name, value in learned(run).items():
        assert torch.equal(value, expected[name]), name
    assert journal(run) == journal(uninterrupted)


def wait_for_step(runs: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for file in runs.glob("megastyle_encoder/*/metrics.jsonl"):
            if any(json.loads(line)["step"] >= step for line in file.read_text().splitlines()[:-1]):
                return
        time.sleep(0.01)
    assert process.poll() is not None, "no step was logged in two minutes"
    assert process.returncode == 0, process.stderr.read().decode() if process.stderr else ""


def test_loss_that_is_not_finite_stops_the_run_and_says_so(settings: list[str], tmp_path: Path) -> None:
    with pytest.raises(StylekitError, match="loss is inf at step"):
        train("megastyle_encoder", *settings, f"runs={tmp_path}", "method.scl_weight=1.0e39")
    [state] = [json.loads(path.read_text()) for path in tmp_path.glob("megastyle_encoder/[!l]*/run.json")]
    assert state["status"] == "failed"


@pytest.mark.parametrize(("capability", "same"), [("AVX2", True), ("AVX512", False)])
def test_mixed_precision_is_not_taken_where_it_is_slow(
    uninterrupted: Run,
    settings: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capability: str,
    same: bool,
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    run = train("megastyle_encoder", *settings, f"runs={tmp_path}", "trainer.precision=bf16-mixed")
    equal = [torch.equal(value, learned(uninterrupted)[name]) for name, value in learned(run).items()]
    assert all(equal) is same
    assert ("trainer.precision is 32-true, not bf16-mixed" in caplog.text) is same
    state = run.read()
    assert state is not None
    assert state.environment["precision"] == ("32-true" if same else "bf16-mixed")


def test_training_free_method_says_which_verbs_work(settings: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training-free.*stylekit evaluate colour_histogram"):
        train("colour_histogram", f"runs={tmp_path}")


def test_trainer_settings_that_stages_decide_are_refused(settings: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.max_steps=3.*set stages\.STAGE\.max_steps"):
        train("megastyle_encoder", *settings, f"runs={tmp_path}", "trainer.max_steps=3")


def test_new_run_stands_beside_the_old_one(uninterrupted: Run, settings: list[str]) -> None:
    beside = train(
        "megastyle_encoder", *settings, f"runs={uninterrupted.path.parents[1]}", new_run=True, dry_run=True
    )
    assert beside.path == uninterrupted.path.with_name(f"{uninterrupted.path.name}-2")


def test_two_processes_do_not_train_into_one_folder(tmp_path: Path) -> None:
    other = (
        "import sys, pathlib; from stylekit.run import Run\nwith Run(pathlib.Path(sys.argv[1])).lock(): pass"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with Run(tmp_path).lock():
        refused = subprocess.run(
            [sys.executable, "-c", other, str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert "Another process is training" in refused.stderr
    subprocess.run([sys.executable, "-c", other, str(tmp_path)], env=environment, check=True)


TWO_STAGES = """
from typing import ClassVar, final
import torch
import yaml
from torch import Tensor, nn
from stylekit.method import StyleMethod

@final
class TwoStages(StyleMethod):
    stages: ClassVar[tuple[str, ...]] = ("first", "second")
    fail_at: ClassVar[int] = -1
    calls: ClassVar[int] = 0
    sizes: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(3, 8), nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 1))

    def enter(self, stage: str) -> None:
        (self.body if stage == "first" else self.head).requires_grad_(True)

    def losses(self, batch) -> dict[str, Tensor]:
        type(self).calls += 1
        type(self).sizes.append(len(batch.images))
        if type(self).calls == type(self).fail_at:
            raise RuntimeError("power cut")
        return {"square": self.head(self.body(batch.images.mean(dim=(2, 3)))).square().mean()}
"""


def test_second_stage_resumes_to_the_same_bits(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout, and with the first stage's weights learning on in the second."""
    (tmp_path / "methods" / "two_stages").mkdir(parents=True)
    (tmp_path / "methods" / "two_stages" / "__init__.py").write_text(TWO_STAGES)
    monkeypatch.syspath_prepend(tmp_path)
    stage = {
        "_target_": "stylekit.stage.Stage", "max_steps": 4, "checkpoint_every": 1, "validate_every": 0,
        "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1},
    }  # fmt: skip
    data = {
        **compose_group("data", "atelier").values["data"],
        "styles_per_batch": 3,
        "seed": 0,
        "val_styles": 0,
    }
    data["cache_dir"] = str(tmp_path)
    data["source"] |= {"num_styles": 12, "contents_per_style": 2, "num_contents": 9, "held_out_styles": 0}
    experiment = {
        "method": {"_target_": "methods.two_stages.TwoStages"}, "data": "atelier", "trainer": "default",
        "tracking": "local", "stages": {"first": stage, "second": {**stage, "data": data}},
    }  # fmt: skip
    (tmp_path / "two_stages.yaml").write_text(yaml.safe_dump(experiment))
    own = [one for one in settings if one.startswith(("data.", "trainer."))]
    arguments = [str(tmp_path / "two_stages.yaml"), *own]
    whole = train(*arguments, f"runs={tmp_path / 'whole'}")

    method = importlib.import_module("methods.two_stages").TwoStages
    assert method.sizes == [12] * 4 + [6] * 4  # the second stage has data of its own
    monkeypatch.setattr(method, "calls", 0)
    monkeypatch.setattr(method, "fail_at", 7)
    with pytest.raises(RuntimeError, match="power cut"):
        train(*arguments, f"runs={tmp_path / 'cut'}")
    monkeypatch.setattr(method, "fail_at", -1)
    resumed = train(*arguments, f"runs={tmp_path / 'cut'}")

    expected = learned(whole)
    assert set(expected) == {"body.weight", "body.bias", "head.1.weight", "head.1.bias"}
    for name, value in learned(resumed).items():
        assert torch.equal(value, expected[name]), name
    assert journal(resumed) == journal(whole)
    assert max(step for step, _, _ in journal(resumed)) == 7

    second = train(*arguments, "stages.first=null", f"runs={tmp_path / 'second'}")
    state = second.read()
    assert state is not None
    assert state.stages_done == ["second"]
    assert max(step for step, _, _ in journal(second)) == 3
    first = train(*arguments, "stages.second=null", f"runs={tmp_path / 'first'}")
    after_first = torch.load(whole.path / "checkpoints" / "first" / "learned.ckpt", weights_only=True)
    for name, value in learned(first).items():
        assert torch.equal(value, after_first["state_dict"][name]), name
        assert not torch.equal(value, learned(second)[name]), name
    with pytest.raises(ConfigError, match="All stages are null"):
        train(*arguments, "stages.first=null", "stages.second=null", f"runs={tmp_path / 'none'}")


def test_gradient_accumulation_resumes_on_an_optimiser_step(settings: list[str], tmp_path: Path) -> None:
    """Two half batches per step; the position counts batches, the checkpoint optimiser steps."""
    run = train("megastyle_encoder", *settings, f"runs={tmp_path}", "trainer.accumulate_grad_batches=2")
    last = run.last_checkpoint("sscl")
    assert last is not None
    checkpoint = torch.load(last, weights_only=True)
    data = next(state for key, state in checkpoint.items() if key.endswith("DataModule"))
    assert (checkpoint["global_step"], data["position"]) == (STEPS, 2 * STEPS)
