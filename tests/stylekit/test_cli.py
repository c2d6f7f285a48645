from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stylekit
from stylekit import cli
from stylekit.cli.closing import how_to_use
from stylekit.config import compose
from stylekit.errors import DataError, MissingError
from stylekit.pixels import Rejection
from stylekit.rendering import Rendered
from stylekit.run import Run, RunState

Recorded = list[tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Recorded]:
    """Put a recorder in the place of a verb's function."""

    def replace(name: str, result: Any = None) -> Recorded:
        calls: Recorded = []

        def verb(*arguments: Any, **keywords: Any) -> Any:
            calls.append((arguments, keywords))
            return result

        monkeypatch.setitem(vars(stylekit), name, verb)
        return calls

    return replace


def test_train_passes_overrides_and_options_in_any_order(
    record: Callable[..., Recorded], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = Run(tmp_path / "x")
    run.write(RunState(name="x", experiment="tiny", method="siglip", status="finished", seconds=12.3, seed=1))
    run.config_file.write_text("tracking: {uri: 'sqlite:///runs/mlflow.db'}")
    calls = record("train", run)
    words = "--config-dir a train tiny seed=1 --resume never trainer=long --new-run --config-dir b a.b=-1"
    assert cli.main(words.split()) == 0
    assert calls == [
        (
            ("tiny", "seed=1", "trainer=long", "a.b=-1"),
            {"config_dirs": [Path("a"), Path("b")], "resume": "never", "new_run": True, "dry_run": False},
        )
    ]
    assert capsys.readouterr().out.splitlines() == [
        "siglip is trained: 12 s, seed 1",
        f"  written  {run.path}",
        "  curves   mlflow ui --backend-store-uri sqlite:///runs/mlflow.db",
        f"  next     stylekit evaluate {run.path}",
    ]


def test_evaluate_tells_targets_from_overrides(record: Callable[..., Recorded]) -> None:
    calls = record("evaluate")
    assert cli.main(["evaluate", "runs/a", "benchmark=small", "runs/b", "benchmark.size=3"]) == 0
    assert calls == [
        (
            ("runs/a", "runs/b"),
            {"overrides": ["benchmark=small", "benchmark.size=3"], "out": None, "config_dirs": []},
        )
    ]


def test_embed_and_data_check_pass_their_arguments(record: Callable[..., Recorded]) -> None:
    embedded, checked = record("embed"), record("data_check")
    assert (
        cli.main(
            ["embed", "siglip", "a.b=1", "--images", "x", "y", "--out", "z.parquet", "--batch-size", "3"]
        )
        == 0
    )
    assert embedded == [
        (
            ("siglip", "a.b=1"),
            {"images": [Path("x"), Path("y")], "out": Path("z.parquet"), "config_dirs": [], "batch_size": 3},
        )
    ]
    assert cli.main(["data", "check", "atelier", "data.x=1"]) == 0
    assert checked == [(("atelier", "data.x=1"), {"config_dirs": []})]


def test_curate_passes_its_arguments_and_says_how_to_go_on(
    record: Callable[..., Recorded], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = record("curate", Path("out/data"))
    assert cli.main(["curate", "demo", "--out", "out", "content_captioner=blip", "curation.pair.seed=1"]) == 0
    assert calls == [
        (
            ("demo", "content_captioner=blip", "curation.pair.seed=1"),
            {"out": Path("out"), "config_dirs": [], "dry_run": False},
        )
    ]
    said = capsys.readouterr().out
    assert "stylekit train megastyle_encoder data=parquet_folder data.source.path=out/data" in said
    calls = record("curate", "a table")
    assert cli.main(["curate", "demo", "--dry-run"]) == 0
    assert capsys.readouterr().out == "a table\n"
    looked = record("curate_status", "two lines")
    assert cli.main(["curate", "status", "out"]) == 0
    assert looked == [((Path("out"),), {})]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("no usable style"), 3),
        (MissingError("no weights"), 4),
        (RuntimeError("it broke"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_code_tells_what_happened(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setitem(vars(stylekit), "train", fail)
    assert cli.main(["train", "tiny"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(error) in captured.err
    assert "Traceback" not in captured.err
    if code != 130:
        assert cli.main(["train", "tiny", "--debug"]) == code
        assert "Traceback" in capsys.readouterr().err


def test_mistake_in_a_config_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "siglip", "sed=1"]) == 2
    assert (
        "1 mistake in experiment 'siglip':\n  1. override 'sed=1': there is no key 'sed'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "usage: stylekit"),
        ("trian x", "there is no verb 'trian'. Did you mean 'train'?"),
        ("data chek", "there is no verb 'data chek'. Did you mean 'data check'?"),
        ("train", "the following arguments are required: EXPERIMENT\n"),
        ("show x --orign", "unrecognized arguments: --orign"),
        ("embed x", "the following arguments are required: --images, --out"),
    ],
)
def test_wrong_usage_ends_with_2(words: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words.split())
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


def test_list_prints_tables_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "method"]) == 0
    table = capsys.readouterr().out
    assert table.startswith("METHOD\n  name")
    assert "megastyle_encoder" in table
    assert cli.main(["list", "method", "--json"]) == 0
    entry = next(one for one in json.loads(capsys.readouterr().out) if one["name"] == "megastyle_encoder")
    assert (entry["stages"], entry["encodes"], entry["renders"]) == (["sscl"], True, False)


def test_render_reads_what_is_asked_for_and_passes_overrides_on(
    record: Callable[..., Recorded], capsys: pytest.CaptureFixture[str]
) -> None:
    files = (Path("out/a.png"), Path("out/b.png"))
    calls = record("render", Rendered(Path("out"), files, 1, (Path("out/sheet-01.jpg"),), ()))
    words = ["render", "--config-dir", "a", "megastyle_flux", "references=some, where/*.png"]
    words += ["prompt=a cat, beside a house", "references=[a.png, b]", "prompts=texts.txt", "seeds=0-2"]
    words += ["seeds=[7,9]", "group=true", "batch_size=4", "out=out", "contents=c.png", "foundation=mini_sd"]
    assert cli.main([*words, "method.num_steps=3"]) == 0
    assert calls == [
        (
            ("megastyle_flux", "foundation=mini_sd", "method.num_steps=3"),
            {
                "config_dirs": [Path("a")],
                "references": ["some, where/*.png", "a.png", "b"],
                "prompts": ["a cat, beside a house", Path("texts.txt")],
                "seeds": [0, 1, 2, 7, 9],
                "group": True,
                "batch_size": 4,
                "out": "out",
                "contents": ["c.png"],
            },
        )
    ]
    assert capsys.readouterr().out.splitlines() == [
        "  images   1 made, 1 there already",
        "  written  out",
        "  sheet    out/sheet-01.jpg",
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seed=3", "render takes no 'seed'. Did you mean 'seeds'?"),
        ("group={", "group must be true or false, not '{'."),
        ("refrences=a.png", "render takes no 'refrences'. Did you mean 'references'?"),
        ("seeds=one", "seeds=one: write a number, [0,1,2] or 0-7."),
        ("seeds=3-1", "seeds=3-1 runs backwards."),
        ("group=perhaps", "group must be true or false, not 'perhaps'."),
        ("batch_size=true", "batch_size must be a whole number, not 'true'."),
        ("references=[a,", "nowhere"),
        ("references=[a: b:]", "references=[a: b:] is no list; write references=[a.png,b.png]."),
    ],
)
def test_render_says_what_is_wrong_with_a_word(
    word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["render", "nowhere", word]) == 2
    assert said in capsys.readouterr().err


def test_render_that_left_something_out_ends_with_3(record: Callable[..., Recorded]) -> None:
    record("render", Rendered(Path("o"), (Path("o/a.png"),), 1, (), (Rejection("b.png", "damaged image"),)))
    assert cli.main(["render", "megastyle_flux", "references=b.png"]) == 3


@pytest.mark.parametrize(
    ("experiment", "command"),
    [
        ("siglip", "stylekit embed RUN --images FOLDER --out styles.parquet"),
        ("megastyle_flux", 'stylekit render RUN references=FOLDER "prompt=..."'),
        ("text_to_image", 'stylekit render RUN "prompt=..."'),
        ("autoencoder", "stylekit render RUN contents=FOLDER"),
    ],
)
def test_an_evaluated_run_is_told_to_be_used(experiment: str, command: str, tmp_path: Path) -> None:
    run = Run(tmp_path / "x")
    run.path.mkdir()
    run.config_file.write_text(compose(experiment).to_yaml())
    assert how_to_use(run) == command.replace("RUN", str(run.path))


def test_show_and_check_print(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "siglip", "--origins", "seed=3"]) == 0
    assert "# override 'seed=3'" in capsys.readouterr().out
    assert cli.main(["check", "siglip"]) == 0
    assert "siglip is right: method=siglip, foundation=mini_siglip" in capsys.readouterr().out


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help_and_a_function_of_its_name(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*verb.split(), "--help"])
    assert ended.value.code == 0
    assert f"usage: stylekit {verb}" in capsys.readouterr().out
    assert verb.replace(" ", "_") in stylekit._VERBS


QUICK = ["--help", "--version", "list", "show siglip", *(f"{verb} --help" for verb in cli.VERBS)]
HEAVY = [
    "torch",
    "lightning",
    "diffusers",
    "transformers",
    "mlflow",
    "numpy",
    "jaxtyping",
    "rich",
    "pydantic",
]


@pytest.mark.parametrize("words", QUICK)
def test_quick_verbs_import_nothing_heavy(words: str) -> None:
    code = f"""
import sys
from stylekit.cli import main
try:
    main({words.split()!r})
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", ["--help", "list"])
def test_quick_verbs_are_quick(words: str) -> None:
    """At most ten times what an interpreter takes for the least that they need; torch takes twenty."""

    def processor_time(*arguments: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    least = processor_time("-c", "import argparse, importlib.metadata, yaml")
    assert processor_time("-m", "stylekit", words) < 10.0 * least


def test_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m stylekit list --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_list_shows_what_an_experiment_takes_from_the_one_it_builds_on(tmp_path: Path) -> None:
    folder = tmp_path / "experiment"
    folder.mkdir()
    header = "# what: x\n# command: x\n# needs: x\n"
    (folder / "above.yaml").write_text(f"{header}_file_: megastyle_encoder\ndata: image_folder\n")
    (folder / "one.yaml").write_text(f"{header}_file_: two\n")
    (folder / "two.yaml").write_text(f"{header}_file_: one\n")
    uses = {entry.name: entry.uses for entry in stylekit.list("experiment", config_dirs=[tmp_path])}
    assert uses["above"]["method"] == "megastyle_encoder"
    assert uses["above"]["data"] == "image_folder"
    assert uses["one"] == uses["two"] == {}
