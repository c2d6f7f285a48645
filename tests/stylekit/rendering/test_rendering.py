"""`render`, on methods that draw in milliseconds, and on a run of a real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stylekit.atelier import draw_prompts, sample_style
from stylekit.errors import ConfigError
from stylekit.exporting import export
from stylekit.image_files import read_image, read_note
from stylekit.rendering import render
from stylekit.run import Run
from tests.stylekit.rendering.rendered import PROMPTS, by_item, manifest, pixels

STEPS = 4  # of flux_run


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
