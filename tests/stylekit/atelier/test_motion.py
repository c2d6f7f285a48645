"""Moving scenes: exact prompts, smooth motion of the right kind, and films that otherwise stand still."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from stylekit.atelier import (
    MINI,
    MOTIONS,
    MovingScene,
    Scene,
    SceneObject,
    arrange_films,
    draw,
    draw_films,
    lay_out,
    sample_motions,
    sample_scenes,
    sample_styles,
)
from stylekit.atelier.arrangement import arrange
from stylekit.errors import ConfigError

SCENE = Scene.from_prompt("A cat left of two houses on the grass.")
STYLES = sample_styles(40, seed=2)


def test_prompt_says_what_each_thing_does():
    moving = MovingScene(SCENE, ("moves left", "grows"))
    assert moving.prompt() == "A cat left of two houses on the grass. The cat moves left. The houses grow."
    together = MovingScene(SCENE, ("turns right", "turns right"))
    assert together.prompt() == "A cat left of two houses on the grass. Everything turns right."
    alone = MovingScene(Scene.from_prompt("Three fish in the sky."), ("stays still",))
    assert alone.prompt() == "Three fish in the sky. The fish stay still."


@pytest.mark.parametrize("repertoire", [None, MINI])
def test_prompts_are_read_back_exactly(repertoire):
    prompts = set()
    for number, scene in enumerate(sample_scenes(300, 1, repertoire=repertoire)):
        moving = sample_motions(scene, number)
        prompt = moving.prompt()
        assert prompt.startswith(scene.prompt())
        assert Scene.from_prompt(prompt[: prompt.index(".") + 1]) == scene
        assert MovingScene.from_prompt(prompt) == moving
        assert MovingScene.from_prompt(f"  {prompt.upper().replace(' ', '  ')}") == moving
        prompts.add(prompt)
    assert len(prompts) == 300


def test_every_motion_is_drawn_and_something_always_moves():
    drawn = [sample_motions(scene, 0).motions for scene in sample_scenes(300, 1, repertoire=MINI)]
    assert {motion for motions in drawn for motion in motions} == set(MOTIONS)
    assert all(set(motions) != {"stays still"} for motions in drawn)


@pytest.mark.parametrize(
    ("prompt", "match"),
    [
        ("A cat on the grass.", "0 sentences follow.*'The cat moves left.'"),
        ("A cat on the grass. The cat moves lift.", "'the cat moves left'.*moves left, moves right"),
        ("A cat on the grass. The dog grows.", "Did you mean 'the cat grows'"),
        ("Two cats on the grass. The cat grows.", "Did you mean 'the cats grow'"),
        ("A cat and a dog on the grass. The cat grows.", "1 sentences follow"),
    ],
)
def test_errors_say_what_would_be_right(prompt, match):
    with pytest.raises(ConfigError, match=match):
        MovingScene.from_prompt(prompt)


def test_two_kinds_of_one_name_are_refused():
    scene = Scene((SceneObject("cat"), SceneObject("cat", size="large")), ("and",))
    with pytest.raises(ConfigError, match="each kind of thing once"):
        MovingScene(scene, ("grows", "grows"))


def arranged(motion, seed, prompt="A cat on the grass.", frames=9):
    moving = MovingScene(Scene.from_prompt(prompt), (motion,))
    film = arrange_films([moving], [seed], frames)
    return film.x[:, 0], film.y[:, 0], film.scale[:, 0], film.angle[:, 0]


@pytest.mark.parametrize(
    "prompt", ["A cat on the grass.", "A moon in the sky.", "A large robot in the snow."]
)
@pytest.mark.parametrize("seed", range(5))
def test_things_do_what_is_said_smoothly(prompt, seed):
    for motion, axis, sign in (
        ("moves left", 0, -1), ("moves right", 0, 1), ("moves up", 1, -1), ("moves down", 1, 1)
    ):  # fmt: skip
        places = arranged(motion, seed, prompt)
        steps = np.diff(places[axis]) * sign
        assert np.allclose(steps, steps[0])
        assert 0.199 <= 8 * steps[0] <= 0.451
        assert all(np.ptp(places[other]) == 0 for other in range(4) if other != axis)
    for motion, sign in (("grows", 1), ("shrinks", -1)):
        ratios = arranged(motion, seed, prompt)[2][1:] / arranged(motion, seed, prompt)[2][:-1]
        assert np.allclose(ratios, ratios[0])
        assert 1.7 <= ratios[0] ** (8 * sign) <= 2.3
    for motion, sign in (("turns left", -1), ("turns right", 1)):
        steps = np.diff(arranged(motion, seed, prompt)[3]) * sign
        assert np.allclose(steps, steps[0])
        assert 1.2 <= 8 * steps[0] <= 1.8
    assert all(np.ptp(values) == 0 for values in arranged("stays still", seed, prompt))


def test_turning_left_is_against_the_clock():
    moving = MovingScene(Scene.from_prompt("A key on a plain background."), ("turns left",))
    film = arrange_films([moving], [3], 5)
    maps = lay_out([moving.scene] * 5, [3] * 5, 64, film)
    angles = []
    for inside in maps.shapes[:, 0, 0] > 0:
        y, x = torch.nonzero(inside).double().T
        covariance = torch.cov(torch.stack([x, -y]))  # y upwards
        angles.append(0.5 * math.atan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1]))
    turns = [(new - old + math.pi / 2) % math.pi - math.pi / 2 for old, new in pairwise(angles)]
    assert all(0.2 < turn < 0.6 for turn in turns)


def test_what_stands_keeps_its_foot_while_it_grows():
    moving = MovingScene(Scene.from_prompt("A house on the grass."), ("grows",))
    maps = lay_out([moving.scene] * 4, [1] * 4, 128, arrange_films([moving], [1], 4))
    feet = [int(torch.nonzero(inside.any(1)).max()) for inside in maps.shapes[:, 0, 0] > 0]
    assert max(feet) - min(feet) <= 2


def test_things_that_move_as_one_keep_their_distances():
    moving = MovingScene(SCENE, ("moves right", "moves right"))
    film = arrange_films([moving], [0], 6)
    still = arrange([SCENE], [0])
    assert np.allclose(np.diff(film.x[:, :3], axis=1), np.diff(still.x[:, :3], axis=1))
    assert np.ptp(film.x[:, 0]) >= 0.2


def test_things_stay_in_the_image_where_there_is_room():
    scenes = [sample_motions(scene, 5) for scene in sample_scenes(200, 4, repertoire=MINI, max_things=1)]
    film = arrange_films(scenes, list(range(200)), 4)
    assert (film.x[:, 0] > 0.1).all()
    assert (film.x[:, 0] < 0.9).all()
    assert (film.y[:, 0] > 0.1).all()
    assert (film.y[:, 0] < 0.9).all()


def test_a_still_film_is_the_still_image_again_and_again():
    scenes = sample_scenes(12, 7, repertoire=MINI)
    still = [MovingScene(scene, ("stays still",) * len(scene.objects)) for scene in scenes]
    seeds = list(range(12))
    films = draw_films(still, STYLES[:12], seeds, frames=2)
    images = draw(scenes, STYLES[:12], seeds)
    assert torch.equal(films[:, 0], images)
    assert torch.equal(films[:, 1], images)


def test_a_film_depends_on_its_own_scene_style_and_seed():
    scenes = [sample_motions(scene, 1) for scene in sample_scenes(40, 7, repertoire=MINI)]
    seeds = list(range(40))
    films = draw_films(scenes, STYLES, seeds, frames=3)
    assert films.shape == (40, 3, 3, 64, 64)
    for index in (0, 17, 39):
        alone = draw_films([scenes[index]], [STYLES[index]], [index], frames=3)[0]
        assert torch.equal(alone, films[index])
    assert not torch.equal(draw_films(scenes[:1], STYLES[:1], [9], frames=3)[0], films[0])


def test_only_what_moves_changes():
    scene = Scene.from_prompt("A cat on a plain background.")
    moving = MovingScene(scene, ("moves up",))
    maps = lay_out([scene] * 4, [2] * 4, 64, arrange_films([moving], [2], 4))
    touched = (maps.shapes[:, 0, 0] > -0.06).any(0)
    flat = [style for style in STYLES if style.light == "even" and "pixel" not in style.medium][:3]
    for style in flat:
        film = draw_films([moving], [style], [2], frames=4)[0]
        moved = (film - film[:1]).abs().amax((0, 1)) > 0.05
        assert moved.any()
        assert (moved & ~touched).float().mean() < 0.02


def test_films_need_frames_and_as_many_styles_as_scenes():
    moving = MovingScene(SCENE, ("grows", "grows"))
    with pytest.raises(ConfigError, match="two frames or more, not 1"):
        draw_films([moving], STYLES[:1], [0], frames=1)
    with pytest.raises(ConfigError, match="one style and one seed for each scene"):
        draw_films([moving], STYLES[:2], [0])
