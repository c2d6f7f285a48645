from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stylekit.config import build, folders
from stylekit.config.target import TargetError, resolve_target
from stylekit.errors import ConfigError, MissingError


@pytest.mark.parametrize(
    ("target", "home"),
    [
        ("torch.optim.AdamW", "torch.optim.adamw"),
        ("bitsandbytes.optim.AdamW8bit", "bitsandbytes.optim.adamw"),
        ("torch.optim.lr_scheduler.StepLR", "torch.optim.lr_scheduler"),
        ("torch.nn.Linear", "torch.nn.modules.linear"),
        ("lightning.pytorch.Trainer", "lightning.pytorch.trainer.trainer"),
        ("lightning.pytorch.callbacks.LearningRateMonitor", "lightning.pytorch.callbacks.lr_monitor"),
        ("lightning.pytorch.strategies.DDPStrategy", "lightning.pytorch.strategies.ddp"),
        (
            "lightning.pytorch.plugins.environments.SLURMEnvironment",
            "lightning.fabric.plugins.environments.slurm",
        ),
        ("transformers.SiglipModel", "transformers.models.siglip.modeling_siglip"),
        ("torchmetrics.MeanMetric", "torchmetrics.aggregation"),
        ("peft.LoraConfig", "peft.tuners.lora.config"),
    ],
)
def test_classes_meant_to_be_built_are_allowed(target: str, home: str) -> None:
    assert resolve_target(target).__module__ == home


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "builtins.object",
        "subprocess.Popen",
        "pickle.Unpickler",
        "torch.load",
        "torch.hub.load",
        "torch.jit.ScriptModule",
        "torch.utils.cpp_extension.BuildExtension",
        "lightning.pytorch.trainer.os.system",
        "lightning.pytorch.Trainer.fit",
        "lightning.pytorch.callbacks.os.system",
        "lightning.pytorch.callbacks.lr_monitor.defaultdict",
        "lightning.pytorch.cli.LightningCLI",
        "torch.nn.functional.relu",
        "torch.nn.init.torch.hub.load",
        "torch.nn.modules.module.OrderedDict",
        "torch.optim.adamw.torch.serialization.os.system",
        "torch.nn.modules.module.functools.partial",
        "torch.optim.Adam.__init__",
        "torch.optim.Adam.__class__",
        "torch.nn.Module.__subclasses__",
        "transformers.os.system",
        "transformers.pipeline",
        "transformers.utils.hub.subprocess.Popen",
        "diffusers.utils.importlib",
        "peft.utils.other.warnings.catch_warnings",
        "stylekit.errors.ClassVar",
        "stylekit.run.subprocess.Popen",
        "stylekit.config.compose",
        "stylekit.config.target.importlib.import_module",
        "stylekit.config.document._Loader",
        "stylekit.tracking.subprocess.run",
        "methods..x",
        "torch.optim.",
        "",
        "torch",
        "torch optim",
        "torch.optim.AdamW()",
        "torch.nn.Ｍodule",
        "stylekitevil.Class",
        "torch.optimevil.Class",
        "../../etc/passwd",
        None,
        3,
        ["os.system"],
        {"_target_": "os.system"},
    ],
)
def test_everything_else_is_refused(target: object) -> None:
    with pytest.raises(TargetError):
        resolve_target(target)
    with pytest.raises((ConfigError, MissingError)):
        build({"_target_": target})


def test_refused_node_inside_another_is_not_built() -> None:
    with pytest.raises(ConfigError, match=r"os\.system"):
        build({"_target_": "torch.nn.Sequential", "x": [{"y": {"_target_": "os.system", "command": "true"}}]})


def test_abstract_class_is_refused() -> None:
    with pytest.raises(TargetError, match="abstract"):
        resolve_target("stylekit.method.StyleEncoder")


def test_misspelt_class_and_module_name_the_nearest() -> None:
    with pytest.raises(TargetError, match="Did you mean 'AdamW'"):
        resolve_target("torch.optim.AdmW")
    with pytest.raises(TargetError, match="Did you mean 'lr_scheduler'"):
        resolve_target("torch.optim.lr_schedulr.StepLR")


def test_missing_dependency_of_a_plugin_is_missing_not_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "methods" / "needy").mkdir(parents=True)
    (tmp_path / "methods" / "needy" / "__init__.py").write_text("import a_package_that_nobody_has\n")
    (tmp_path / "methods" / "broken.py").write_text("raise RuntimeError('half installed')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TargetError, match="needs the package 'a_package_that_nobody_has'") as caught:
        resolve_target("methods.needy.Needy")
    assert caught.value.is_missing
    with pytest.raises(MissingError):
        build({"_target_": "methods.needy.Needy"})
    with pytest.raises(TargetError, match="RuntimeError: half installed"):
        resolve_target("methods.broken.Broken")


def test_package_that_declares_itself_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_styles.py").write_text("class Painter:\n    pass\n")
    information = tmp_path / "their_styles-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: their-styles\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TargetError, match="not allowed"):
        resolve_target("their_styles.Painter")
    (information / "entry_points.txt").write_text("[stylekit.configs]\ntheirs = their_styles\n")
    folders.declared_packages.cache_clear()
    try:
        assert resolve_target("their_styles.Painter").__name__ == "Painter"
    finally:
        folders.declared_packages.cache_clear()
        sys.modules.pop("their_styles", None)
