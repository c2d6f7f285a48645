"""What cannot be rendered is said before weights load, and costs itself alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from stylekit.errors import ConfigError, DataError, MissingError
from stylekit.rendering import render
from stylekit.run import Run
from tests.stylekit.rendering.rendered import PROMPTS


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
