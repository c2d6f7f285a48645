"""Fit a method stage by stage, into a run folder, resumable at every step."""

from __future__ import annotations

import logging
import shlex
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.utilities import rank_zero_only

from stylekit import callbacks, validation
from stylekit.checkpoint import AtomicCheckpointIO, load_learned
from stylekit.config import Config, build, check_baselines, compose, digest
from stylekit.datamodule import StyleDataModule
from stylekit.errors import ConfigError, StylekitError
from stylekit.method import StyleEncoder, StyleMethod, StyleRenderer
from stylekit.planning import check_trainable, choose_folder, is_sharded, method_name, shared_folder
from stylekit.precision import faster_precision
from stylekit.run import (
    Run,
    RunState,
    Status,
    environment,
    flatten,
    is_main_process,
    now,
    write_atomically,
)
from stylekit.stage import Stage
from stylekit.tracking import Tracker

__all__ = ["train"]

log = logging.getLogger("stylekit")

Resume = Literal["auto", "never"]

CLOSED_AS: dict[Status, Literal["FINISHED", "FAILED", "KILLED"]] = {
    "running": "FAILED",
    "finished": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
}


def train(
    experiment: str,
    *overrides: str,
    config_dirs: Sequence[Path] = (),
    resume: Resume = "auto",
    new_run: bool = False,
    dry_run: bool = False,
    parent_run_id: str | None = None,
) -> Run:
    """Train the method of an experiment and return its run.

    The same config trains in the same folder: a finished run is returned as it is, an unfinished one goes on
    from its last checkpoint.

    Args:
        experiment: Name of an experiment, or path of a YAML.
        overrides: `group=file` or `dotted.key=value`.
        config_dirs: Further config folders.
        resume: "auto" as above, or "never" to begin anew in the same folder.
        new_run: Begin a separate run beside an existing one.
        dry_run: Compose and check, and say where the run would lie.
        parent_run_id: MLflow run under which to nest.
    """
    if any(override.partition("=")[0].strip() == "learned" for override in overrides):
        raise ConfigError("Training begins from the foundation; learned= is for render, embed and evaluate.")
    config = compose(experiment, overrides, config_dirs)
    check_trainable(config)
    check_baselines(config, config_dirs)
    run = Run(choose_folder(config, new_run))
    if dry_run:
        return run
    state = run.read()
    if state is not None and state.status == "finished" and resume == "auto":
        log.info("%s is finished already; --new-run trains it once more.", run.path)
        return run
    with run.lock() if is_main_process() else nullcontext(), shared_folder(run.path):
        words = [experiment, *overrides, *(["--new-run"] if new_run else [])]
        words += ["--resume", resume] if resume != "auto" else []
        words += [word for folder in config_dirs for word in ("--config-dir", str(folder))]
        training = _Training(config, run, resume, parent_run_id, shlex.join(["stylekit", "train", *words]))
        training.execute(overrides)
    return run


class _Training:
    """One call of `train`: what was built, and the run's state as it changes."""

    def __init__(
        self, config: Config, run: Run, resume: Resume, parent_run_id: str | None, command: str
    ) -> None:
        self.values = config.values
        self.config = config
        self.run = run
        self.resume = resume
        self.state = (run.read() if resume == "auto" else None) or RunState(
            name=run.path.name,
            experiment=config.name,
            method=method_name(config),
            seed=int(self.values["seed"]),
            config_digest=digest(config),
            parent_run_id=parent_run_id,
            started=now(),
        )
        self.state.command = command
        self.precision = faster_precision(config.values["trainer"])
        self.state.environment = environment() | {"precision": str(self.precision)}

    def execute(self, overrides: Sequence[str]) -> None:
        began = time.monotonic()
        seed_everything(self.state.seed, workers=True, verbose=False)
        if self.precision != (asked := self.values["trainer"].get("precision")) and is_main_process():
            log.warning(
                "This processor computes bfloat16 many times slower than float32: trainer.precision is %s, "
                "not %s.",
                self.precision,
                asked,
            )
        method, settings, data = self._build()
        self.state.data_digest = data.digest()
        tracker = build(self.values["tracking"])
        if not isinstance(tracker, Tracker):
            raise ConfigError(f"tracking must be a Tracker of stylekit, not a {type(tracker).__name__}.")
        self.state.status = "failed"
        try:
            with _log_file(self.run.path / "train.log"):
                self._open(tracker, data, overrides)
                self._fit_stages(method, settings, data, tracker)
            self.state.status = "finished"
        except KeyboardInterrupt:
            self.state.status = "killed"
            raise
        finally:
            self.state.seconds += round(time.monotonic() - began, 1)
            self.state.mlflow_run_id = tracker.run_id  # late, if the server was away at the start
            self._write()
            tracker.close(CLOSED_AS[self.state.status])

    def _build(self) -> tuple[StyleMethod, dict[str, Stage], StyleDataModule]:
        settings = {name: build(node) for name, node in self.config.stages.items()}
        data = build(self.values["data"])  # before the method, whose weights may take long to load
        method = build(self.values["method"])
        for key, built, kind in (("method", method, StyleMethod), ("data", data, StyleDataModule)):
            if not isinstance(built, kind):
                raise ConfigError(f"{key} must be a {kind.__name__}, not a {type(built).__name__}.")
        for stage, built in settings.items():
            if not isinstance(built, Stage):
                raise ConfigError(f"stages.{stage} must be a Stage, not a {type(built).__name__}.")
            if not isinstance(built.data, StyleDataModule | None):
                raise ConfigError(f"stages.{stage}.data must be a StyleDataModule or null.")
        return method, settings, data

    @rank_zero_only
    def _open(self, tracker: Tracker, data: StyleDataModule, overrides: Sequence[str]) -> None:
        if self.resume == "never":
            for folder in ("checkpoints", "eval", "samples"):
                shutil.rmtree(self.run.path / folder, ignore_errors=True)
        write_atomically(self.run.config_file, self.config.to_yaml())
        write_atomically(self.run.path / "overrides.txt", "".join(f"{override}\n" for override in overrides))
        tags = {
            "stylekit.method": self.state.method,
            "stylekit.data": self.config.choices.get("data", ""),
            "stylekit.foundation": self.config.choices.get("foundation", ""),
            "stylekit.experiment": self.state.experiment,
            "stylekit.config_digest": self.state.config_digest,
            "stylekit.seed": str(self.state.seed),
            "stylekit.version": self.state.environment["stylekit"],
            "stylekit.git": self.state.environment["git"],
            "stylekit.precision": self.state.environment["precision"],
        }
        self.state.mlflow_run_id = tracker.open(
            self.run.path,
            self.state.name,
            self.state.mlflow_run_id,
            tags,
            self.state.parent_run_id,
            anew=self.resume == "never",
        )
        self.run.write(replace(self.state, status="running"))
        self.run.point_latest()
        tracker.log_hyperparams(flatten(self.values))
        tracker.log_artifact(self.run.config_file)
        tracker.log_dataset(self.config.choices.get("data", "data"), self.state.data_digest, data.summary())

    def _fit_stages(
        self, method: StyleMethod, settings: dict[str, Stage], data: StyleDataModule, tracker: Tracker
    ) -> None:
        if self.state.stages_done:
            load_learned(method, self._learned(self.state.stages_done[-1]))
        tracker.offset = 0
        stages = [stage for stage in method.stages if stage in settings]
        for stage in stages:
            if stage not in self.state.stages_done:
                method.start(stage, settings[stage])
                own = settings[stage].data or data
                assert isinstance(own, StyleDataModule)
                own.start_stage(stage)
                self._fit(stage, method, settings[stage], own, tracker)
                self.state.stages_done.append(stage)
                self._write()
            tracker.offset += settings[stage].max_steps
        if is_main_process():
            shutil.copyfile(self._learned(stages[-1]), self.run.final_checkpoint)

    def _fit(
        self, stage: str, method: StyleMethod, settings: Stage, data: StyleDataModule, tracker: Tracker
    ) -> None:
        checkpoint, step = None if self.resume == "never" else self.run.last_checkpoint(stage), 0
        if checkpoint is not None:
            step = int(checkpoint.resolve().stem.removeprefix("step="))
            log.info("Continuing %s of %s from step %d.", stage, self.run.path, step)
        tracker.truncate(tracker.offset + step - 1)  # Lightning logs the first step under 0
        trainer = self._trainer(stage, method, settings, tracker)
        with_cudnn = torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
        # Its attention gave NaN gradients (torch 2.11 on an H200: mini_flux, 90 tokens, heads of width 32).
        torch.backends.cuda.enable_cudnn_sdp(False)
        try:
            trainer.fit(method, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        except SystemExit as interruption:  # how Lightning ends after Ctrl+C
            raise KeyboardInterrupt from interruption
        finally:
            torch.backends.cuda.enable_cudnn_sdp(with_cudnn)
        if trainer.interrupted:
            raise KeyboardInterrupt
        if trainer.global_step < settings.max_steps:
            raise StylekitError(
                f"Stage {stage} stopped at step {trainer.global_step} of {settings.max_steps}, by a limit of "
                "the trainer. Lift the limit and run the same command again to continue."
            )

    def _trainer(self, stage: str, method: StyleMethod, settings: Stage, tracker: Tracker) -> Trainer:
        own: list[Callback] = [
            callbacks.SeedSteps(self.state.seed, stage),
            callbacks.Guard(),
            callbacks.Throughput(),
            callbacks.FirstBatch(),
            callbacks.SaveLearned(self._learned(stage), [*self.state.stages_done, stage]),
            callbacks.Save(
                self.run.path / "checkpoints" / stage, settings.checkpoint_every, settings.keep_checkpoints
            ),
        ]
        if self.values["trainer"].get("enable_progress_bar", True):
            own.insert(0, callbacks.Progress(f"{self.state.method} {stage}"))
        if settings.ema_decay is not None:
            own.insert(1, callbacks.Average(settings.ema_decay))
        if isinstance(method, StyleEncoder) and settings.validate_every:
            own.insert(0, validation.ValidateEncoder())
        if isinstance(method, StyleRenderer) and settings.validate_every and settings.num_samples:
            own.insert(0, validation.RenderSamples(self.run.path / "samples", settings.num_samples))
        node = dict(self.values["trainer"])
        theirs = [build(callback) for callback in node.pop("callbacks", None) or []]
        plugins = [build(plugin) for plugin in node.pop("plugins", None) or []]
        if not is_sharded(node) and not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(AtomicCheckpointIO())
        if not settings.validate_every:
            node["limit_val_batches"] = 0
        node["precision"] = self.precision
        batches_per_step = int(node.get("accumulate_grad_batches") or 1)
        trainer: Trainer = build(
            node,
            logger=tracker,
            callbacks=[*theirs, *own],
            plugins=plugins,
            max_steps=settings.max_steps,
            max_epochs=-1,
            enable_checkpointing=False,
            use_distributed_sampler=False,
            check_val_every_n_epoch=None,
            val_check_interval=settings.validate_every * batches_per_step or None,
            # One for each stage: Lightning leaves a checkpoint there when SLURM requeues the job.
            default_root_dir=str(self.run.path / "checkpoints" / stage),
        )
        return trainer

    def _learned(self, stage: str) -> Path:
        return self.run.path / "checkpoints" / stage / "learned.ckpt"

    @rank_zero_only
    def _write(self) -> None:
        self.run.write(self.state)


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Write what stylekit and Lightning log to a file as well."""
    if not is_main_process():
        yield
        return
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("stylekit", "lightning.pytorch", "lightning.fabric")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


# The data modules choose their own number of workers; Lightning's own use of torch is not the user's affair.
warnings.filterwarnings("ignore", message=".*does not have many workers.*")
warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
# Frozen towers stay as they were loaded, in eval mode.
warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
