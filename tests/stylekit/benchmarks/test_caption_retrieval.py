import pytest
import torch

from stylekit.atelier import MINI, Scene, Style
from stylekit.benchmarks import CaptionRetrieval
from stylekit.benchmarks.caption_retrieval import CHOICES, NUM_CHOICES, SPATIAL, is_chosen
from stylekit.method import ImageTextEncoder
from stylekit.split import split_of


class Oracle(ImageTextEncoder):
    """Knows each image of a benchmark by its place, and what captions are its own."""

    def __init__(self, retrieval: CaptionRetrieval, right: frozenset[str]) -> None:
        super().__init__()
        self.own = {row[0]: index for index, row in enumerate(retrieval._choices["medium"])}
        self.contents = [row[0] for row in retrieval._choices["thing"]]
        self.right, self.seen = right, 0

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        places = torch.arange(self.seen, self.seen + len(images))
        self.seen += len(images)
        return torch.nn.functional.one_hot(places, len(self.own)).float()

    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        return torch.stack([self._describe(text) for text in texts])

    def _describe(self, text: str) -> torch.Tensor:
        vector = torch.zeros(len(self.own))
        if text in self.own and "style" in self.right:
            vector[self.own[text]] = 1.0
        if "content" in self.right:
            vector[[index for index, content in enumerate(self.contents) if content == text]] = 1.0
        return vector


@pytest.fixture(scope="module")
def retrieval() -> CaptionRetrieval:
    return CaptionRetrieval(num_styles=3, num_contents=4)


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ({"content", "style"}, (1.0, 1.0)),
        ({"content"}, (1.0, 0.0)),
        ({"style"}, (0.0, 1.0)),
        (set(), (0.0, 0.0)),
    ],
)
def test_what_an_encoder_knows_is_what_it_scores(
    retrieval: CaptionRetrieval, right: set[str], expected: tuple[float, float]
) -> None:
    found = retrieval.run(Oracle(retrieval, frozenset(right)))
    of_content, of_style = expected
    for kind in ("thing", "relation", "setting"):
        assert found.scores[f"captions/{kind}"].values == [of_content] * 3
    assert found.scores["captions/medium"].values == [of_style] * 3
    assert found.boards["caption_retrieval"]["images"] == 12


def test_choices_differ_in_one_thing_and_are_held_out(retrieval: CaptionRetrieval) -> None:
    for rows in retrieval._choices.values():
        assert all(len(set(row)) == len(row) for row in rows)
    assert {kind: len(rows[0]) for kind, rows in retrieval._choices.items()} == {
        "thing": NUM_CHOICES, "relation": len(SPATIAL), "setting": len(MINI.settings), "medium": NUM_CHOICES,
    }  # fmt: skip
    for kind in ("thing", "relation", "setting"):
        own, *others = (Scene.from_prompt(text) for text in retrieval._choices[kind][0])
        assert split_of(own.prompt()) == "test"
        assert own.relations[0] in SPATIAL
        for other in others:
            differing = [
                own.objects[0] != other.objects[0],
                own.relations != other.relations,
                own.setting != other.setting,
            ]
            assert differing == [kind == "thing", kind == "relation", kind == "setting"]
            assert own.objects[1] == other.objects[1]
    own_style, *other_styles = (
        Style.from_prompt("In the style of" + text.partition("In the style of")[2])
        for text in retrieval._choices["medium"][0]
    )
    assert split_of(own_style.prompt()) == "test"
    assert len({style.medium for style in (own_style, *other_styles)}) == NUM_CHOICES
    assert {(style.palette, style.identity, style.light) for style in other_styles} == {
        (own_style.palette, own_style.identity, own_style.light)
    }


def test_a_tie_is_not_chosen() -> None:
    images = torch.eye(2)
    captions = torch.stack([images[[0, 0, 1]], images[[1, 0, 0]]])
    assert is_chosen(images, captions).tolist() == [False, True]


def test_choices_follow_the_seed() -> None:
    first, same, other = (CaptionRetrieval(2, 2, seed=seed)._choices for seed in (0, 0, 1))
    assert first == same
    assert first != other
    assert set(first) == set(CHOICES)
