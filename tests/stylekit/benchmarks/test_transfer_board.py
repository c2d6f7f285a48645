from dataclasses import replace

import pytest
import torch

from stylekit.atelier import MINI, draw, sample_styles
from stylekit.benchmarks.transfer_board import TransferBoard, transfer_board
from stylekit.errors import ConfigError
from stylekit.split import split_of

SIZES = {"num_styles": 6, "contents_per_style": 3, "images_per_content": 2, "references_per_style": 2}


def make(**changes) -> TransferBoard:
    return transfer_board(**({**SIZES, "image_size": 64, "seed": 0} | changes))


BOARD = make()


def kinds(scenes):
    return {item.name for scene in scenes for item in scene.objects}


def test_styles_prompts_and_what_references_show_are_held_out_and_not_repeated():
    scenes = [scene for one in BOARD.transfers for scene in (*one.scenes, *one.shown)]
    for scene in scenes:
        MINI.check(scene)
    styles = [one.style.prompt() for one in BOARD.transfers]
    contents = [style.prompt() for one in BOARD.transfers for style in one.content_styles]
    prompts = [prompt for one in BOARD.transfers for prompt in one.prompts]
    shown = [scene.prompt() for one in BOARD.transfers for scene in one.shown]
    for texts, count in ((styles, 6), (prompts, 18), (shown, 12), (contents, 18), (styles + contents, 24)):
        assert len(set(texts)) == count
        assert {split_of(text) for text in texts} == {"test"}
    assert not any("style" in prompt for prompt in prompts)


@pytest.mark.parametrize("seed", range(4))
def test_references_show_no_thing_of_the_prompts_of_their_style(seed):
    for one in make(seed=seed, num_styles=16, contents_per_style=6).transfers:
        assert one.shown_kinds == kinds(one.shown)
        assert kinds(one.scenes).isdisjoint(kinds(one.shown))


def test_seeds_are_of_the_prompt_and_its_number_whatever_the_style():
    first, second = BOARD.transfers[:2]
    exchanged = replace(BOARD, transfers=[replace(first, style=second.style)])
    assert exchanged.rows(0) == BOARD.rows(0)
    seeds = [seed for index in range(6) for _, seed in BOARD.rows(index)]
    assert len(set(seeds)) == len(BOARD) == 36
    assert {seed for _, seed in make(seed=1).rows(0)}.isdisjoint(seeds)


def test_larger_board_holds_the_rows_of_the_smaller():
    larger = make(num_styles=9, images_per_content=4)
    assert larger.transfers[:6] == BOARD.transfers
    assert torch.equal(larger.references[:6], BOARD.references)
    for index in range(6):
        assert set(BOARD.rows(index)) <= set(larger.rows(index))


def test_every_style_is_mistaken_for_another_and_each_for_one():
    for count in (2, 6):
        wrong = [make(num_styles=count).wrong(index) for index in range(count)]
        assert sorted(wrong) == list(range(count))
        assert all(one != index for index, one in enumerate(wrong))


def test_drawings_are_right_and_each_its_own():
    truth = BOARD.draw_truth(1)
    rows, style = BOARD.rows(1), BOARD.transfers[1].style
    assert len(truth.flatten(1).unique(dim=0)) == 6
    by_row_seed = draw([scene for scene, _ in rows], [style] * 6, [seed for _, seed in rows], 64)
    assert not any(
        torch.allclose(one, other, atol=0.01) for one, other in zip(truth, by_row_seed, strict=True)
    )
    # Another drawing of the same scene in the same style is nearer than that of another style.
    other = draw([scene for scene, _ in rows], [BOARD.transfers[2].style] * 6, [seed for _, seed in rows], 64)
    colours = [images.mean((2, 3)).mean(0) for images in (truth, by_row_seed, other)]
    assert (colours[0] - colours[1]).norm() < (colours[0] - colours[2]).norm()


def test_content_images_are_one_for_each_prompt():
    contents = BOARD.draw_contents(1)
    assert torch.equal(contents[::2], contents[1::2])
    assert len(contents.flatten(1).unique(dim=0)) == 3


def test_content_images_are_in_styles_that_quality_does_not_compare_with():
    contents = {style.prompt() for one in BOARD.transfers for style in one.content_styles}
    compared = sample_styles(512, BOARD.seed + 1, split="test")  # as draw_references does
    others = {style.prompt() for style in (*compared, *(one.style for one in BOARD.transfers))}
    assert not contents & others


def test_settings_tell_boards_apart():
    assert BOARD.settings["images"] == 36
    assert BOARD.references.shape == (6, 2, 3, 64, 64)
    assert torch.equal((BOARD.references * 255).round() / 255, BOARD.references)
    assert make().settings == BOARD.settings
    other = make(seed=1).settings
    assert other["texts"] != BOARD.settings["texts"]
    assert other["references"] != BOARD.settings["references"]


def test_prompts_that_leave_no_thing_for_a_reference_are_refused():
    with pytest.raises(ConfigError, match="ask for fewer contents_per_style"):
        make(num_styles=2, contents_per_style=150)
