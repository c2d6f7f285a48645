"""Hold a method to the contract: one call, every failure reported."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from stylekit.checkpoint import load_learned, save_learned
from stylekit.config import Config, build, check, compose
from stylekit.config.target import resolve_target
from stylekit.datamodule import Batch, StyleDataModule
from stylekit.errors import ConfigError, MissingError
from stylekit.method import StyleEncoder, StyleMethod, StyleRenderer, learned_names
from stylekit.run import Run
from stylekit.training import train

__all__ = ["CHECKS", "check_method"]

_STEPS = 30
"""Enough that a run can be killed after its first checkpoint and before its end."""


def check_method(
    experiment: str, *overrides: str, config_dirs: Sequence[Path | str] = (), skip: Sequence[str] = ()
) -> None:
    """Hold the method of an experiment to everything that the framework expects of a method.

    Raises an ExceptionGroup with every check that failed. Call it from a test of your own:

        def test_contract():
            check_method("my_method", "data.source.num_styles=24", "data.styles_per_batch=6")

    Args:
        experiment: Which trains (or merely names) the method.
        overrides: Make data and model small; the steps of training are few already.
        config_dirs: Further config folders.
        skip: Names of checks to leave out, for example "resume" where a second would be minutes.
    """
    if unknown := set(skip) - set(CHECKS):
        raise ConfigError(f"There is no check {', '.join(sorted(unknown))}; there are: {', '.join(CHECKS)}.")
    failures = []
    with TemporaryDirectory() as folder:
        subject = _Subject(experiment, (*overrides, f"runs={folder}", "tracking=local"), tuple(config_dirs))
        for name, run in CHECKS.items():
            if name in skip:
                continue
            try:
                run(subject)
            except Exception as error:
                error.add_note(f"in the check {name!r} of {experiment}: {run.__doc__}")
                failures.append(error)
    if failures:
        raise ExceptionGroup(f"{experiment} fails {len(failures)} of {len(CHECKS)} checks", failures)


@dataclass(frozen=True)
class _Subject:
    """What is checked."""

    experiment: str
    overrides: tuple[str, ...]
    config_dirs: tuple[Path | str, ...]

    def config(self, *more: str) -> Config:
        return compose(self.experiment, [*self.overrides, *more], self.config_dirs)

    def training_overrides(self) -> list[str]:
        """Few steps, saved every third one."""
        settings = {"max_steps": _STEPS, "warmup_steps": 0, "checkpoint_every": 3, "validate_every": 0}
        stages = self.config().stages
        return [f"stages.{stage}.{key}={value}" for stage in stages for key, value in settings.items()]

    def method(self) -> StyleMethod:
        torch.manual_seed(0)
        method = build(self.config().values["method"])
        assert isinstance(method, StyleMethod), f"{type(method).__name__} is no StyleMethod"
        return method

    def batch(self) -> Batch:
        """Return the first training batch of the experiment's data."""
        data = build(self.config().values["data"])
        assert isinstance(data, StyleDataModule)
        return data.train_batches(seed=0)(0, 0, 1)


def _contract(subject: _Subject) -> None:
    """The config names a class of the contract, marked @final, with a card beside it, and all its stages."""
    config = subject.config()
    check(config, needs=("method",))
    method = resolve_target(config.values["method"]["_target_"])
    assert issubclass(method, StyleEncoder | StyleRenderer), f"{method.__name__} neither embeds nor renders"
    assert getattr(method, "__final__", False), f"{method.__name__} must be marked @final"
    card = Path(inspect.getfile(method)).with_name("README.md")
    assert card.is_file(), f"{method.__name__} has no card, {card}"
    lacking = set(method.stages) - set(config.values["stages"])
    assert not lacking, f"the experiment has no settings for stages {sorted(lacking)}"


def _embedding(subject: _Subject) -> None:
    """Embeddings are finite unit vectors for images of any size, each a function of its own image alone."""
    method = subject.method().eval()
    if not isinstance(method, StyleEncoder):
        return
    with torch.no_grad():
        for size in ((64, 64), (48, 80)):
            images = _images(5, *size)
            z = method.embed(images)
            assert z.ndim == 2, f"embed returned shape {tuple(z.shape)}, not (n, d)"
            assert len(z) == len(images), f"embed returned {len(z)} vectors for {len(images)} images"
            assert bool(torch.isfinite(z).all()), "an embedding is not finite"
            _same(z.norm(dim=1), torch.ones(5), "embeddings are unit vectors")
            _same(method.embed(images), z, "the same images give the same embeddings")
            _same(method.embed(images.flip(0)).flip(0), z, "the order of images does not matter")
            _same(method.embed(images[2:3]), z[2:3], "the other images of a batch do not matter")
        for name, image in {"black": torch.zeros(1, 3, 64, 64), "white": torch.ones(1, 3, 64, 64)}.items():
            assert bool(torch.isfinite(method.embed(image)).all()), f"a {name} image has no finite embedding"


def _rendering(subject: _Subject) -> None:
    """Images are in [0, 1], each a function of style, prompt, content and its own seed alone."""
    method = subject.method().eval()
    if not isinstance(method, StyleRenderer):
        return
    batch = subject.batch()
    style = method.extract(batch.images[:2])
    prompts = list(batch.content_prompts[:3])
    contents = batch.images[:3] if "content" in method.needs else None
    images = method.render(style, prompts, contents, [0, 1, 2])
    assert len(images) == 3, f"render returned {len(images)} images for three prompts"
    assert images.shape[-3] == 3, f"render returned shape {tuple(images.shape)}"
    assert float(images.min()) >= 0.0, "a pixel is below 0"
    assert float(images.max()) <= 1.0, "a pixel is above 1"
    last = None if contents is None else contents[2:]
    _same(method.render(style, prompts[2:], last, [2]), images[2:], "the other images do not matter")
    other = method.render(style, prompts[2:], last, [3])
    if method.uses_seed:
        assert not torch.equal(other, images[2:]), "another seed gives the same image"
    else:
        _same(other, images[2:], "the seed does not matter")
    if not method.uses_references:
        without = method.extract(torch.zeros(0, 3, 64, 64))
        _same(method.render(without, prompts, contents, [0, 1, 2]), images, "references do not matter")
    if "prompt" in method.needs:
        _refused(lambda: method.render(style, [], contents, [0, 1, 2]), ConfigError, "prompt")
    if "content" in method.needs:
        _refused(lambda: method.render(style, prompts, None, [0, 1, 2]), ConfigError, "content")


def _learning(subject: _Subject) -> None:
    """Every stage has finite losses, changes what it says it learns, and nothing that is frozen."""
    method = subject.method()
    batch = subject.batch() if method.stages else None
    for stage in method.stages:
        method.start(stage)
        before = {name: value.clone() for name, value in method.state_dict().items()}
        learned = [parameter for parameter in method.parameters() if parameter.requires_grad]
        assert learned, f"stage {stage} learns nothing"
        own = learned_names(method)
        terms = method.losses(batch)
        for name, term in terms.items():
            assert term.shape == (), f"the loss {name} of stage {stage} is not a scalar"
            assert bool(torch.isfinite(term)), f"the loss {name} of stage {stage} is not finite"
        optimizer = torch.optim.SGD(learned, lr=0.1)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        state = method.state_dict()
        changed = {name for name, value in state.items() if not torch.equal(value, before[name])}
        assert changed, f"no gradient reached what stage {stage} learns"
        assert changed <= own, f"stage {stage} changed what it does not learn: {sorted(changed - own)[:5]}"


def _saving(subject: _Subject) -> None:
    """What was learned comes back from a checkpoint bit for bit; frozen weights are not in it."""
    method = subject.method()
    for stage in method.stages:
        method.start(stage)
    generator = torch.Generator().manual_seed(1)
    for name, value in method.state_dict().items():
        if name in method.learned and value.is_floating_point():
            value.add_(torch.randn(value.shape, generator=generator))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "learned.ckpt"
        save_learned(method, method.state_dict(), path, list(method.stages))
        loaded = subject.method()
        load_learned(loaded, path)
        kept = torch.load(path, weights_only=True)["state_dict"]
    assert set(kept) == method.learned, "the checkpoint holds other names than were learned"
    expected, found = method.state_dict(), loaded.state_dict()
    for name in method.learned:
        assert torch.equal(found[name], expected[name]), f"{name} came back different"


def _resume(subject: _Subject) -> None:
    """Killed with SIGKILL in every stage and trained on, a run ends with the bits of one that was not."""
    stages = subject.config().stages
    if not stages:
        return
    overrides = [*subject.overrides, *subject.training_overrides(), "trainer.enable_progress_bar=false"]
    dirs = [Path(folder) for folder in subject.config_dirs]
    with TemporaryDirectory() as folder:
        whole = train(subject.experiment, *overrides, f"runs={folder}/whole", config_dirs=dirs)
        words = [f"--config-dir={one}" for one in dirs]
        command = [sys.executable, "-m", "stylekit", "train", subject.experiment, *overrides]
        command += [f"runs={folder}/killed", *words]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        log = Path(folder) / "killed.log"
        for stage in stages:
            saved = f"killed/*/*/checkpoints/{stage}/step=*"
            with (
                log.open("w") as said,
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=said) as process,
            ):
                while process.poll() is None and not list(Path(folder).glob(saved)):
                    time.sleep(0.005)
                process.send_signal(signal.SIGKILL)
            ended = f"the run ended before it was killed in stage {stage}: {log.read_text()}"
            assert process.returncode == -signal.SIGKILL, ended
            state = Run(next(Path(folder).glob("killed/*/*/run.json")).parent).read()
            assert state is not None, "the run has no run.json"
            assert stage not in state.stages_done, ended
        cut = train(subject.experiment, *overrides, f"runs={folder}/killed", config_dirs=dirs)
        expected, found = _learned(whole), _learned(cut)
    assert expected.keys() == found.keys(), "other names were learned"
    for name, value in expected.items():
        assert torch.equal(found[name], value), f"{name} differs after a resume"


def _devices(subject: _Subject) -> None:
    """It works in bfloat16 autocast, and on a GPU where there is one."""
    method = subject.method().eval()
    places = [("cpu", torch.bfloat16)] + [("cuda", torch.bfloat16)] * torch.cuda.is_available()
    for device, dtype in places:
        method.to(device)
        with torch.no_grad(), torch.autocast(device, dtype=dtype):
            if isinstance(method, StyleEncoder):
                z = method.embed(_images(3, 64, 64).to(device)).float()
                assert bool(torch.isfinite(z).all()), f"an embedding is not finite in {dtype} on {device}"
                close = torch.allclose(z.norm(dim=1), torch.ones(3, device=device), atol=2e-2)
                assert close, f"embeddings are not unit vectors in {dtype} on {device}"
            if isinstance(method, StyleRenderer):
                batch = subject.batch()
                images = batch.images[:2].to(device)
                contents = images if "content" in method.needs else None
                style = method.extract(images)
                image = method.render(style, list(batch.content_prompts[:2]), contents, [0, 1]).float()
                assert bool(((image >= 0) & (image <= 1)).all()), f"a pixel is bad in {dtype} on {device}"


def _missing(subject: _Subject) -> None:
    """Missing weights are an error that says what to do."""
    if "name_or_path" not in (subject.config().values.get("foundation") or {}):
        return
    absent = subject.config("foundation.name_or_path=/absent/weights")
    _refused(lambda: build(absent.values["method"]), MissingError, "/absent/weights")


CHECKS: dict[str, Callable[[_Subject], None]] = {
    "contract": _contract,
    "embedding": _embedding,
    "rendering": _rendering,
    "learning": _learning,
    "saving": _saving,
    "resume": _resume,
    "devices": _devices,
    "missing": _missing,
}


def _images(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def _same(found: Tensor, expected: Tensor, what: str) -> None:
    torch.testing.assert_close(found, expected, msg=lambda text: f"Not true that {what}. {text}")


def _refused(action: Callable[[], Any], kind: type[Exception], word: str) -> None:
    try:
        action()
    except kind as error:
        said = str(error)
    else:
        raise AssertionError(f"no {kind.__name__} was raised for {word!r}")
    assert word in said, f"the error does not name {word!r}: {said}"


def _learned(run: Run) -> dict[str, Tensor]:
    return dict(torch.load(run.final_checkpoint, weights_only=True)["state_dict"])
