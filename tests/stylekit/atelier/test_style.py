from __future__ import annotations

import itertools

import pytest

from stylekit.atelier.palette import COLOURS, PALETTES, lightness, mix
from stylekit.atelier.style import Style, count_styles, palette_matched_group, sample_style
from stylekit.atelier.style_words import DISTRIBUTIONS, EDGES, IDENTITIES, LIGHTS, MEDIA
from stylekit.errors import ConfigError
from stylekit.split import split_of

PROMPT = (
    "In the style of art deco, navy with cream, coral, sky blue and mustard in gradient from top, "
    "soft left light, woodcut, wood grain, contour gouges, bold dark outline, sharp edges."
)


def test_prompt_follows_the_template_of_megastyle():
    style = Style(
        identity="art deco",
        palette="harbour",
        distribution="gradient from top",
        light="soft left",
        medium="woodcut",
        texture="wood grain",
        brushwork="contour gouges",
        outline="bold dark outline",
        edges="sharp edges",
    )
    assert style.prompt() == PROMPT
    assert Style.from_prompt(PROMPT) == style


def test_from_prompt_inverts_prompt_of_every_word():
    styles = [sample_style(seed) for seed in range(3000)]
    assert all(Style.from_prompt(style.prompt()) == style for style in styles)
    for field, choices in {"identity": IDENTITIES, "palette": PALETTES, "medium": MEDIA}.items():
        assert {getattr(style, field) for style in styles} == {*choices}
    textures = {(style.medium, style.texture) for style in styles}
    assert textures == {(medium, word) for medium, words in MEDIA.items() for word in words.textures}


def test_different_styles_have_different_prompts():
    styles = {sample_style(seed) for seed in range(3000)}
    assert len({style.prompt() for style in styles}) == len(styles)


def test_count_is_that_of_all_combinations():
    words = MEDIA["woodcut"]
    of_woodcut = sum(1 for _ in itertools.product(words.textures, words.brushworks, words.outlines))
    assert of_woodcut == 4 * 4 * 4
    assert count_styles() > 50_000_000
    common = len(IDENTITIES) * len(PALETTES) * len(DISTRIBUTIONS) * len(LIGHTS) * len(EDGES)
    assert count_styles() % common == 0
    per_medium = [len(m.textures) * len(m.brushworks) * len(m.outlines) for m in MEDIA.values()]
    assert count_styles() == common * sum(per_medium)


@pytest.mark.parametrize(
    ("wrong", "right", "named"),
    [
        ("woodcut", "woodcutt", "did you mean 'woodcut'"),
        ("wood grain", "wood grian", "texture of woodcut 'wood grian'; did you mean 'wood grain'"),
        ("navy", "navi", "Unknown colour 'navi'; did you mean 'navy'"),
        ("coral", "lemon", "did you mean 'navy with cream, coral, sky blue and mustard'"),
        ("soft left light", "soft lift light", "did you mean 'soft left'"),
        ("contour gouges", "fine dots", "Unknown brushwork of woodcut 'fine dots'"),
        ("In the style of", "As in", "Not a style prompt"),
    ],
)
def test_wrong_word_is_named_with_the_nearest_valid_one(wrong, right, named):
    with pytest.raises(ConfigError, match=named):
        Style.from_prompt(PROMPT.replace(wrong, right))


def test_every_palette_has_dark_light_and_distinct_colours():
    assert len(PALETTES) >= 40
    assert len({palette.phrase() for palette in PALETTES.values()}) == len(PALETTES)
    for palette in PALETTES.values():
        levels = sorted(lightness(rgb) for rgb in palette.rgb)
        assert levels[0] < 42, palette
        assert levels[-1] > 82, palette
        assert {*palette.colours} <= {*COLOURS}
        assert len({*palette.colours}) == 5


def test_lightness_is_that_of_cie():
    assert lightness((0.0, 0.0, 0.0)) == 0
    assert lightness((1.0, 1.0, 1.0)) == pytest.approx(100)
    assert lightness((0.5, 0.5, 0.5)) == pytest.approx(53.39, abs=0.01)  # 18.4 % grey is about L* 50
    assert mix((0.0, 0.2, 1.0), (1.0, 0.2, 0.0), 0.25) == pytest.approx((0.25, 0.2, 0.75))


@pytest.mark.parametrize("seed", range(20))
def test_palette_matched_group_shares_colours_and_differs_in_the_rest(seed):
    group = palette_matched_group(seed)
    assert len({*group}) == 8
    assert len({(style.identity, style.palette, style.distribution) for style in group}) == 1
    for one, other in itertools.combinations(group, 2):
        changed = [
            field
            for field in ("light", "medium", "texture", "brushwork", "outline", "edges")
            if getattr(one, field) != getattr(other, field)
        ]
        assert len(changed) >= 2
    assert len({MEDIA[style.medium].family for style in group}) == 1


def test_palette_matched_group_keeps_to_its_split():
    group = palette_matched_group(3, size=6, split="test")
    assert [split_of(style.prompt()) for style in group] == ["test"] * 6


def test_sampling_keeps_fixed_words():
    style = sample_style(5, medium="mosaic", light="even")
    assert (style.medium, style.light) == ("mosaic", "even")
    assert sample_style(5) == sample_style(5)
