from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import (
    AutoTokenizer,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerBase,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from stylekit.atelier import MINI, sample_motions, sample_scenes, sample_styles
from stylekit.atelier.tokenizer import clip_tokenizer, phrases, t5_tokenizer

BUILDERS = {CLIPTokenizer: clip_tokenizer, T5TokenizerFast: t5_tokenizer}
EXTRA = {CLIPTokenizer: 2, T5TokenizerFast: 1}  # begin and end, or end alone
UNKNOWN = 2


@pytest.fixture(params=list(BUILDERS), ids=lambda cls: cls.__name__)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    return BUILDERS[request.param](32)


def prompts() -> tuple[list[str], list[str]]:
    contents = [scene.prompt() for scene in sample_scenes(250, seed=3)]
    contents += [scene.prompt() for scene in sample_scenes(250, seed=3, repertoire=MINI)]
    return contents, [style.prompt() for style in sample_styles(500, seed=3)]


def test_every_phrase_is_one_token_of_its_own(tokenizer: PreTrainedTokenizerBase) -> None:
    encoded = tokenizer(phrases(), add_special_tokens=False).input_ids
    assert sorted(encoded) == [[index] for index in range(3, len(tokenizer))]


def test_prompts_are_short_and_fully_known(tokenizer: PreTrainedTokenizerBase) -> None:
    extra = EXTRA[type(tokenizer)]
    contents, styles = prompts()
    encoded = tokenizer(contents).input_ids
    for text, tokens in zip(contents, encoded, strict=True):
        assert UNKNOWN not in tokens, text
    assert max(map(len, encoded)) <= 9 + extra
    for text, tokens in zip(styles, tokenizer(styles).input_ids, strict=True):
        assert UNKNOWN not in tokens, text
        assert len(tokens) == 14 + extra, text
    for content, style in zip(contents, styles, strict=True):
        both = tokenizer(f"{content} {style}", add_special_tokens=False).input_ids
        apart = [tokenizer(text, add_special_tokens=False).input_ids for text in (content, style)]
        assert both == [*apart[0], *apart[1]]


def test_motions_are_known(tokenizer: PreTrainedTokenizerBase) -> None:
    for number, scene in enumerate(sample_scenes(200, seed=3)):
        moving = sample_motions(scene, number)
        tokens = tokenizer(moving.prompt()).input_ids
        still = tokenizer(scene.prompt()).input_ids
        assert UNKNOWN not in tokens, moving.prompt()
        assert len(tokens) == len(still) + (2 if moving.moves_as_one else 3 * len(scene.objects))


def test_letters_of_either_size_are_the_same(tokenizer: PreTrainedTokenizerBase) -> None:
    contents, styles = prompts()
    for text in (*contents[:50], *styles[:50]):
        assert (
            tokenizer(text).input_ids
            == tokenizer(text.lower()).input_ids
            == tokenizer(text.upper()).input_ids
        )


def test_other_words_are_unknown_and_change_nothing_else(tokenizer: PreTrainedTokenizerBase) -> None:
    known = tokenizer("a large cat on the grass").input_ids
    tokens = tokenizer("a large zyzzyva catamaran cat on the grass").input_ids
    assert UNKNOWN in tokens
    assert [token for token in tokens if token != UNKNOWN] == known


def test_filling_up_follows_the_model(tokenizer: PreTrainedTokenizerBase) -> None:
    empty, cut = tokenizer(
        ["", ", ".join(phrases())], padding="max_length", max_length=6, truncation=True
    ).input_ids
    assert empty == ([0, 1, 1, 1, 1, 1] if isinstance(tokenizer, CLIPTokenizer) else [1, 0, 0, 0, 0, 0])
    assert len(cut) == 6
    assert cut[-1] == tokenizer.eos_token_id == 1


@pytest.mark.parametrize("kept", list(BUILDERS), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("loader", ["own", "auto"])
def test_loads_as_it_was_saved(kept: type[PreTrainedTokenizerBase], loader: str, tmp_path: Path) -> None:
    tokenizer = BUILDERS[kept](24)
    tokenizer.save_pretrained(tmp_path)
    loaded = (kept if loader == "own" else AutoTokenizer).from_pretrained(tmp_path)
    contents, styles = prompts()
    texts = ["", "a zyzzyva", *contents[:50], *styles[:50], contents[0].upper()]
    assert type(loaded) is kept
    assert loaded.model_max_length == 24
    assert len(loaded) == len(tokenizer)
    for texts_of in (texts, phrases()):
        assert loaded(texts_of).input_ids == tokenizer(texts_of).input_ids
    second = tmp_path / "second"
    loaded.save_pretrained(second)
    assert (second / "tokenizer.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()


def test_clip_sums_up_at_the_end_of_the_text() -> None:
    tokenizer = clip_tokenizer(16)
    model = tiny_clip_text(len(tokenizer), 16).eval()
    short = tokenizer(["A cat on the grass."], return_tensors="pt").input_ids
    padded = tokenizer(["A cat on the grass."], padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        states = model(padded)
        torch.testing.assert_close(states.pooler_output, states.last_hidden_state[:, short.shape[1] - 1])
        torch.testing.assert_close(states.pooler_output, model(short).pooler_output)


def test_flux_pipeline_brings_both_back(tmp_path: Path) -> None:
    clip, t5 = clip_tokenizer(32), t5_tokenizer(32)
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=1),
        text_encoder=tiny_clip_text(len(clip), 32),
        tokenizer=clip,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(t5), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        ),
        tokenizer_2=t5,
        transformer=FluxTransformer2DModel(
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=16,
            pooled_projection_dim=16,
            axes_dims_rope=(2, 2, 4),
        ),
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(tmp_path)
    loaded = FluxPipeline.from_pretrained(tmp_path)
    texts = [first + " " + second for first, second in zip(*prompts(), strict=True)][:40]
    for before, after in ((clip, loaded.tokenizer), (t5, loaded.tokenizer_2)):
        assert type(before) is type(after)
        assert before(texts).input_ids == after(texts).input_ids
    embeds, pooled, _ = loaded.encode_prompt(texts[0], None, max_sequence_length=32)
    other, other_pooled, _ = loaded.encode_prompt(texts[0].lower(), None, max_sequence_length=32)
    torch.testing.assert_close(embeds, other)
    torch.testing.assert_close(pooled, other_pooled)


def tiny_clip_text(vocab_size: int, max_length: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=max_length,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )
