from pathlib import Path

from methods.clip.mini_clip import lay_out
from stylekit.foundation.clip import Clip


def test_lay_out_describes_a_model_of_which_random_weights_can_be_drawn(tmp_path: Path) -> None:
    lay_out(tmp_path)
    clip = Clip(str(tmp_path), random_weights=True, image_tower="mini_siglip")
    config = clip.model.config
    assert config.text_config.eos_token_id == clip.tokenizer.eos_token_id == 1
    assert config.text_config.vocab_size == len(clip.tokenizer)
    assert clip.image_size == 64
    assert 2 * sum(parameter.numel() for parameter in clip.model.parameters()) < 3e6
