"""`render`, on methods that draw in milliseconds, and on a run of a real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from stylekit.atelier import draw_prompts, sample_style
from stylekit.errors import ConfigError, DataError, MissingError
from stylekit.exporting import export
from stylekit.foundation.locate import SHIPPED
from stylekit.image_files import read_image, read_note
from stylekit.rendering import Rendered, render
from stylekit.rendering.settings import find_settings
from stylekit.run import Run

STEPS = 4  # of flux_run
PROMPTS = ["A cat and a house on the grass.", "Two trees in the snow."]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def manifest(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def by_item(rendered: Rendered) -> dict[tuple, np.ndarray]:
    """Pixels by what they were asked for."""
    return {
        (row["prompt"], row["seed"], tuple(one["sha256"] for one in row["references"])): pixels(
            rendered.folder / row["file"]
        )
        for row in manifest(rendered.folder)
    }


def test_every_prompt_is_painted_with_every_seed(tmp_path: Path) -> None:
    rendered = render("atelier_painter", prompts=PROMPTS, seeds=[3, 8], out=tmp_path / "out")
    assert rendered.num_made == len(rendered.files) == 4
    assert not rendered.left_out
    found = by_item(rendered)
    assert set(found) == {(prompt, seed, ()) for prompt in PROMPTS for seed in (3, 8)}
    for (prompt, seed, _), image in found.items():
        (expected,) = draw_prompts([f"{prompt} {sample_style(seed).prompt()}"], [seed], 64)
        assert (np.abs(image / 255.0 - expected.permute(1, 2, 0).numpy()) <= 0.5 / 255 + 1e-6).all()


def test_an_image_does_not_depend_on_order_and_batch(tmp_path: Path, flux_run: Run, pictures: Path) -> None:
    one = render(
        flux_run.path,
        references=[pictures],
        prompts=PROMPTS,
        seeds=[0, 1],
        out=tmp_path / "one",
        batch_size=1,
    )
    other = render(
        flux_run.path,
        references=sorted(pictures.rglob("*.png"), reverse=True),
        prompts=PROMPTS[::-1],
        seeds=[1, 0],
        out=tmp_path / "other",
        batch_size=3,
    )
    first, second = by_item(one), by_item(other)
    assert first.keys() == second.keys()
    assert len(first) == 4 * 2 * 2
    for item, image in first.items():
        assert np.abs(image.astype(int) - second[item]).max() <= 1, item
    assert sorted(path.name for path in one.files) == sorted(path.name for path in other.files)


def test_the_reference_decides(tmp_path: Path, flux_run: Run, pictures: Path) -> None:
    rendered = render(flux_run.path, references=[pictures], prompts=PROMPTS[:1], out=tmp_path / "out")
    images = list(by_item(rendered).values())
    assert len({image.tobytes() for image in images}) == len(images) == 4


def test_what_is_there_is_not_made_again_and_nothing_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    times = {path: path.stat().st_mtime_ns for path in first.files}
    monkeypatch.setattr("stylekit.rendering.settings.build_method", lambda config: pytest.fail("loaded"))
    again = render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    assert again.num_made == 0
    assert again.files == first.files
    assert {path: path.stat().st_mtime_ns for path in again.files} == times


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    first = render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    gone, kept = first.files
    before = pixels(gone)
    time = kept.stat().st_mtime_ns
    gone.unlink()
    again = render("atelier_painter", prompts=[*PROMPTS, "A fish on a table."], out=tmp_path)
    assert again.num_made == 2
    assert np.array_equal(pixels(gone), before)
    assert kept.stat().st_mtime_ns == time
    assert sorted(row["file"] for row in manifest(tmp_path)) == sorted(path.name for path in again.files)
    (line,) = (row for row in manifest(tmp_path) if row["file"] == gone.name)
    assert line == json.loads(read_note(gone))  # of when it was made again


def test_a_folder_of_references_does_not_feed_on_what_was_rendered_below_it(
    tmp_path: Path, flux_run: Run, pictures: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "all")
    out = tmp_path / "all" / "renders"
    first = render(flux_run.path, references=[tmp_path / "all"], prompts=PROMPTS[:1], out=out)
    again = render(flux_run.path, references=[tmp_path / "all"], prompts=PROMPTS[:1], out=out)
    assert again.num_made == 0
    assert again.files == first.files


def test_other_settings_overwrite_nothing(tmp_path: Path) -> None:
    first = render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    second = render("atelier_painter", "method.image_size=96", prompts=PROMPTS, out=tmp_path)
    assert not set(first.files) & set(second.files)
    assert {len(pixels(path)) for path in first.files} == {64}
    assert {len(pixels(path)) for path in second.files} == {96}
    assert len(manifest(tmp_path)) == 4


def test_a_line_of_the_manifest_makes_the_image_again(tmp_path: Path, flux_run: Run, pictures: Path) -> None:
    rendered = render(
        flux_run.path, "method.guidance=2.0", references=[pictures], prompts=PROMPTS, out=tmp_path / "out"
    )
    row = manifest(rendered.folder)[5]
    assert read_note(rendered.folder / row["file"]) == json.dumps(row, ensure_ascii=False)
    again = render(
        rendered.folder / row["settings"],
        references=[one["path"] for one in row["references"]],
        prompts=[row["prompt"]],
        seeds=[row["seed"]],
        out=tmp_path / "again",
    )
    (made,) = again.files
    assert made.name == row["file"]
    assert np.abs(pixels(made).astype(int) - pixels(rendered.folder / row["file"])).max() <= 1
    assert manifest(again.folder)[0]["weights"] == row["weights"]


def test_a_manifest_that_was_cut_off_is_mended(tmp_path: Path) -> None:
    render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    rows = manifest(tmp_path)
    path = tmp_path / "manifest.jsonl"
    whole = path.read_text()
    (tmp_path / ".half.png").write_bytes(b"a kill in the middle of writing")
    (tmp_path / "theirs.png").write_bytes(b"no picture at all")
    for left in (whole[:-40], whole[: whole.index("\n") + 1], ""):
        path.write_text(left)
        assert render("atelier_painter", prompts=PROMPTS, out=tmp_path).num_made == 0
        assert sorted(manifest(tmp_path), key=str) == sorted(rows, key=str)
    path.write_text(whole[:-40])
    render("atelier_painter", prompts=["A fish on a table."], out=tmp_path)
    assert sorted(row["prompt"] for row in manifest(tmp_path)) == sorted([*PROMPTS, "A fish on a table."])


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text('{"theirs": 1}\nno JSON\n')
    first = render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    sheet = first.sheets[0].read_bytes()
    second = render("atelier_painter", prompts=["A fish on a table."], out=tmp_path)
    assert first.sheets[0].read_bytes() == sheet
    assert second.sheets != first.sheets
    assert (tmp_path / "manifest.jsonl").read_text().splitlines()[:2] == ['{"theirs": 1}', "no JSON"]
    again = render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    assert again.sheets == first.sheets
    assert len((tmp_path / "manifest.jsonl").read_text().splitlines()) == 5


def test_weights_and_settings_of_a_folder_are_in_the_name(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "flux"
    shutil.copytree(SHIPPED / "mini_flux", folder)
    asked = (f"foundation.name_or_path={folder}", "foundation.num_steps=1")

    def name() -> str:
        rendered = render("text_to_image", *asked, prompts=PROMPTS[:1], out=tmp_path / "out")
        return rendered.files[0].name

    names = [name(), name()]
    assert names[0] == names[1]
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"shift": 9.0}))
    names.append(name())
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    last = list(state)[-1]  # far from the beginning of the file
    save_file({key: value + 0.1 * (key == last) for key, value in state.items()}, weights)
    names.append(name())
    assert len(set(names)) == 3


def test_the_weights_of_a_lora_are_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "pytorch_lora_weights.safetensors").write_bytes(b"folder")
    (tmp_path / "file.safetensors").write_bytes(b"file")

    def digest(lora: str) -> str:
        overrides = ["foundation=mini_sd", f"foundation.lora={lora}"]
        return find_settings("text_to_image", overrides, ()).digest

    for name in ("folder", "file.safetensors"):
        before = digest(str(tmp_path / name))
        assert digest(str(tmp_path / name)) == before
        for file in tmp_path.rglob("*.safetensors"):
            file.write_bytes(file.read_bytes() + b" that was trained on")
        assert digest(str(tmp_path / name)) != before
    assert digest("owner/name") == digest("owner/name")


def test_files_that_settings_name_are_in_the_settings(tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"regions")

    def digest(override: str) -> str:
        return find_settings("stylegallery", [override], ()).digest

    for override in (f"method.content_mask={mask}", f"method.reference_masks=[{mask}]"):
        before = digest(override)
        assert digest(override) == before
        mask.write_bytes(mask.read_bytes() + b" drawn anew")
        assert digest(override) != before


def test_the_same_picture_twice_makes_one_image(tmp_path: Path, flux_run: Run, pictures: Path) -> None:
    (tmp_path / "copy").mkdir()
    shutil.copy(pictures / "drawing 0.png", tmp_path / "copy" / "drawing 0.png")
    rendered = render(
        flux_run.path,
        references=[pictures / "drawing 0.png", tmp_path / "copy"],
        prompts=PROMPTS[:1],
        out=tmp_path / "out",
    )
    assert rendered.num_made == len(rendered.files) == len(manifest(rendered.folder)) == 1


def test_a_bad_image_is_named_before_weights_load_and_costs_itself_alone(
    tmp_path: Path,
    flux_run: Run,
    pictures: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "references"
    shutil.copytree(pictures, folder)
    (folder / "broken.png").write_bytes(b"no image")
    Image.new("RGB", (4, 4)).save(folder / "tiny.png")
    from stylekit.rendering import settings

    said: list[str] = []
    plain = settings.build_method
    monkeypatch.setattr(settings, "build_method", lambda config: (said.append(caplog.text), plain(config))[1])
    rendered = render(
        flux_run.path,
        references=[folder, tmp_path / "nowhere.png"],
        prompts=["a unicorn", PROMPTS[0]],
        out=tmp_path / "out",
    )
    assert rendered.num_made == 4
    assert [Path(one.where).name for one in rendered.left_out if "prompt" not in one.where] == [
        "broken.png",
        "tiny.png",
        "nowhere.png",
    ]
    for word in ("broken.png", "tiny.png is left out: smaller than 8", "nowhere.png", "unicorn", "acorn"):
        assert word in said[0]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"references": ["PICTURES"]}, ConfigError, "needs a prompt"),
        ({"prompts": PROMPTS}, ConfigError, "references=FILE_OR_FOLDER"),
        ({"references": ["PICTURES"], "prompts": ["  "]}, ConfigError, "A prompt is empty"),
        ({"references": ["nowhere"], "prompts": PROMPTS}, DataError, "nowhere: there is no such image"),
        ({"references": ["PICTURES"], "prompts": [Path("no.txt")]}, DataError, "no.txt cannot be read"),
        ({"references": ["PICTURES"], "prompts": ["a unicorn"]}, DataError, "unicorn"),
        ({"references": ["PICTURES"], "prompts": PROMPTS, "seeds": []}, ConfigError, "at least one"),
        ({"references": ["PICTURES"], "prompts": PROMPTS, "seeds": [-1]}, ConfigError, "0 or more"),
        ({"references": ["PICTURES"], "prompts": PROMPTS, "batch_size": 0}, ConfigError, "1 or more"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_before_weights_load(
    given: dict,
    error: type[Exception],
    words: str,
    flux_run: Run,
    pictures: Path,
    tmp_path: Path,
    monkeypatch,
) -> None:
    monkeypatch.setattr("stylekit.rendering.settings.build_method", lambda config: pytest.fail("loaded"))
    if given.get("references") == ["PICTURES"]:
        given = given | {"references": [pictures]}
    with pytest.raises(error, match=words):
        render(flux_run.path, out=tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_methods_that_do_not_fit_say_so(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(ConfigError, match="does not render"):
        render("siglip", prompts=PROMPTS, out=tmp_path)
    with pytest.raises(ConfigError, match="takes no contents"):
        render("atelier_painter", contents=[pictures], prompts=PROMPTS, out=tmp_path)
    with pytest.raises(ConfigError, match="takes no prompts"):
        render("autoencoder", contents=[pictures], prompts=PROMPTS, out=tmp_path)
    with pytest.raises(ConfigError, match="leave seeds out"):
        render("autoencoder", contents=[pictures], seeds=[0, 1], out=tmp_path)
    with pytest.raises(ConfigError, match=r"contents must be a list, as \['a.png'\]"):
        render("autoencoder", contents="a.png", out=tmp_path)
    with pytest.raises(DataError, match="it names nothing"):
        render("autoencoder", contents=[""], out=tmp_path)
    with pytest.raises(ConfigError, match="looks at no references"):
        render("atelier_painter", references=[pictures], prompts=PROMPTS, out=tmp_path)
    with pytest.raises(ConfigError, match="stylekit train pretrain_mini_flux"):
        render("pretrain_mini_flux", prompts=PROMPTS, out=tmp_path)
    with pytest.raises(MissingError, match="no run and no exported file"):
        render("megastyle_flux", "learned=nowhere", references=[pictures], prompts=PROMPTS, out=tmp_path)


def test_contents_of_several_sizes_each_come_back(tmp_path: Path, pictures: Path) -> None:
    rendered = render("autoencoder", contents=[pictures], out=tmp_path / "out")
    assert rendered.num_made == 4
    for row in manifest(rendered.folder):
        content, made = read_image(Path(row["content"]["path"])), read_image(rendered.folder / row["file"])
        assert made.shape == content.shape
        assert (made - content).abs().mean() < 0.1
    with pytest.raises(ConfigError, match="contents=FILE_OR_FOLDER"):
        render("autoencoder", out=tmp_path)


def test_pictures_of_a_folder_can_be_one_style(tmp_path: Path, flux_run: Run, pictures: Path) -> None:
    rendered = render(
        flux_run.path,
        references=[pictures, pictures / "drawing 0.png", pictures / "below" / "red.png"],
        prompts=PROMPTS[:1],
        out=tmp_path / "out",
        group=True,
    )
    counts = sorted(len(row["references"]) for row in manifest(rendered.folder))
    assert counts == [2, 4]


def test_prompts_of_a_file_are_its_lines(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text(
        "A fish on a table.\n\n  Two trees in the snow.  \nA fish on a table.\n"
    )
    rendered = render("atelier_painter", prompts=[tmp_path / "prompts.txt"], out=tmp_path / "out")
    assert [row["prompt"] for row in manifest(rendered.folder)] == [
        "A fish on a table.",
        "Two trees in the snow.",
    ]


def test_a_style_is_extracted_once(
    tmp_path: Path, flux_run: Run, pictures: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from methods.megastyle_flux import MegaStyleFlux

    seen: list[int] = []
    plain = MegaStyleFlux.extract
    monkeypatch.setattr(
        MegaStyleFlux, "extract", lambda self, images: (seen.append(len(images)), plain(self, images))[1]
    )
    copied = tmp_path / "copy.png"
    shutil.copy(pictures / "drawing 0.png", copied)
    first = render(flux_run.path, references=[pictures], prompts=PROMPTS, out=tmp_path / "first")
    assert seen == [1, 1, 1, 1]
    second = render(flux_run.path, references=[copied], prompts=PROMPTS, out=tmp_path / "second")
    assert seen == [1, 1, 1, 1]
    found = by_item(first)
    for item, image in by_item(second).items():
        assert np.array_equal(image, found[item])
    for file in (own_cache / "styles").glob("*.pt"):
        file.write_bytes(b"broken")
    third = render(flux_run.path, references=[copied], prompts=PROMPTS, out=tmp_path / "third")
    assert seen == [1, 1, 1, 1, 1]
    assert all(np.array_equal(image, found[item]) for item, image in by_item(third).items())


def test_samples_of_training_are_what_render_paints_from_the_exported_file(
    tmp_path: Path, flux_run: Run
) -> None:
    (grid,) = (flux_run.path / "samples" / f"step={STEPS:08d}").glob("val_reference_painted_truth.png")
    shown = read_image(grid)
    references = sorted((flux_run.path / "samples" / "references").glob("*.png"))
    assert [path.name for path in references] == ["0.png", "1.png"]
    prompts = (flux_run.path / "samples" / "prompts.txt").read_text().splitlines()
    export(flux_run.path, out=tmp_path / "exported")
    for number, reference in enumerate(references):
        top = number * 66
        assert torch.equal(shown[:, top : top + 64, :64], read_image(reference))
        rendered = render(
            tmp_path / "exported",
            references=[reference],
            prompts=[prompts[number]],
            seeds=[number],
            out=tmp_path / str(number),
        )
        painted = read_image(rendered.files[0])
        assert (painted - shown[:, top : top + 64, 66:130]).abs().max() <= 1.01 / 255


def test_the_settings_name_only_what_renders(tmp_path: Path, flux_run: Run, pictures: Path) -> None:
    rendered = render(flux_run.path, references=[pictures], prompts=PROMPTS[:1], out=tmp_path / "out")
    (path,) = rendered.folder.glob("settings-*.yaml")
    assert set(yaml.safe_load(path.read_text())) == {"name", "learned", "method", "foundation", "choices"}
