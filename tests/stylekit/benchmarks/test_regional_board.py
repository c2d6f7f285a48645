import pytest
import torch

from stylekit.atelier import MINI, draw
from stylekit.benchmarks.regional_board import regional_board
from stylekit.errors import ConfigError
from stylekit.split import split_of


def make(num_references=3, **changes):
    return regional_board(
        **(
            {"num_images": 6, "num_references": num_references, "image_size": 64, "seed": 0, "split": "test"}
            | changes
        )
    )


BOARD = make()


def kinds(scene):
    return {item.name for item in scene.objects}


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_kind_is_shown_by_one_reference_and_all_is_of_the_split(split, count):
    board = make(count, split=split)
    styles = [style.prompt() for row in board.rows for style in (row.style, *row.styles)]
    assert len(set(styles)) == len(styles) == 6 * (1 + count)
    for row in board.rows:
        assert len(row.shown) == len(row.styles) == count
        for kind, place in zip(row.kinds, row.right, strict=True):
            assert [kind in kinds(scene) for scene in row.shown] == [one == place for one in range(count)]
        if count > 1:
            assert [len(scene.objects) for scene in row.shown] == [1] * count
            assert len({kind for scene in row.shown for kind in kinds(scene)}) == count
        else:
            assert kinds(row.shown[0]) == set(row.kinds)
            assert row.shown[0] != row.scene
        for scene in (row.scene, *row.shown):
            MINI.check(scene)
            assert split_of(scene.prompt()) == split
    assert {split_of(style) for style in styles} == {split}
    assert len({row.scene for row in board.rows}) == 6


def test_the_right_reference_can_be_at_any_place():
    places = {row.right for row in make(3, num_images=40).rows}
    assert places == {(a, b) for a in range(3) for b in range(3) if a != b}


def test_boards_of_more_references_have_the_same_contents_and_styles_for_their_things():
    more = make(5)
    for row, other in zip(BOARD.rows, more.rows, strict=True):
        assert (row.scene, row.style) == (other.scene, other.style)
        for one, another in zip(row.right, other.right, strict=True):
            assert row.styles[one] == other.styles[another]


def test_masks_are_of_the_things_that_are_seen():
    assert BOARD.masks.shape == (6, 2, 64, 64)
    assert not (BOARD.masks[:, 0] & BOARD.masks[:, 1]).any()
    assert (BOARD.masks.flatten(2).sum(2) > 40).all()
    assert BOARD.reference_masks.shape == (6, 2, 3, 64, 64)
    # A reference of one kind is compared with both kinds by all that it shows.
    assert torch.equal(BOARD.reference_masks[:, 0], BOARD.reference_masks[:, 1])
    single = make(1).reference_masks
    assert not (single[:, 0] & single[:, 1]).any()
    assert single.flatten(2).any(2).all()


def test_truth_has_each_thing_in_the_style_of_its_reference():
    row, mask = BOARD.rows[2], BOARD.masks[2]
    seed = BOARD._seeds[2]
    for kind in (0, 1):
        (drawn,) = draw([row.scene], [row.styles[row.right[kind]]], [seed], 64)
        assert torch.equal(BOARD.truth[2][:, mask[kind]], (drawn[:, mask[kind]] * 255).round() / 255)
    (content,) = draw([row.scene], [row.style], [seed], 64)
    assert torch.equal(BOARD.contents[2], (content * 255).round() / 255)


def test_settings_tell_boards_apart():
    assert make().settings == BOARD.settings
    assert BOARD.references.shape == (6, 3, 3, 64, 64)
    for changes in ({"seed": 1}, {"split": "val"}, {"num_references": 2}):
        other = make(**changes).settings
        assert other["texts"] != BOARD.settings["texts"]
        assert other["references"] != BOARD.settings["references"]


def test_more_than_there_is_is_refused(monkeypatch):
    monkeypatch.setattr("stylekit.benchmarks.regional_board._PATIENCE", 20)
    with pytest.raises(ConfigError, match="scenes of two kinds: ask for fewer"):
        make(num_images=40)
