import pytest
import torch

from methods.autoencoder import Autoencoder
from stylekit.batch import StyleBatch
from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.vae import Vae, VaeEncoder


def make_batch() -> StyleBatch:
    torch.manual_seed(0)
    return StyleBatch(
        torch.rand(2, 3, 64, 64), torch.tensor([0, 1]), torch.tensor([0, 1]), ["", ""], ["", ""]
    )


def test_only_the_decoder_learns_unless_the_encoder_is_to() -> None:
    method = Autoencoder(Vae("mini_vae"))
    method.start("reconstruct")
    assert all(name.startswith("foundation.model.decoder.") for name in method.learned)
    method = Autoencoder(Vae("mini_vae"), train_encoder=True)
    method.start("reconstruct")
    assert method.learned == set(method.state_dict())


def test_losses_are_the_squared_error_and_the_divergence() -> None:
    batch, foundation = make_batch(), Vae("mini_vae")
    images = batch.images * 2.0 - 1.0
    posterior = foundation.model.encode(images).latent_dist
    error = (foundation.model.decode(posterior.mean).sample - images).square().mean()
    terms = Autoencoder(foundation).losses(batch)
    torch.testing.assert_close(terms, {"reconstruction": error})
    both = Autoencoder(foundation, train_encoder=True, kl_weight=0.5).losses(batch)
    mean, log_variance = posterior.mean, posterior.logvar
    by_hand = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum((1, 2, 3)).mean()
    torch.testing.assert_close(both["divergence"], 0.5 * by_hand)
    assert abs(float(both["reconstruction"]) - float(error)) < 1e-3  # the latents' noise is small


def test_it_renders_its_content_back() -> None:
    method, images = Autoencoder(Vae("mini_vae")), make_batch().images
    back = method.render(None, [], images, [0, 1])
    torch.testing.assert_close(back, method.foundation.decode(method.foundation.encode(images)).clamp(0, 1))
    with pytest.raises(ConfigError, match="content"):
        method.render(None, [], None, [0])


def test_sides_that_no_number_of_latents_covers_come_back_as_long_as_they_were() -> None:
    method, images = Autoencoder(Vae("mini_vae")), make_batch().images
    cut, kept = images[..., :62, :57], torch.arange(64)
    back = method.render(None, [], cut, [0, 1])
    assert back.shape == cut.shape
    edge_repeated = cut[..., kept.clamp(max=61), :][..., kept[:60].clamp(max=56)]
    whole = method.foundation.decode(method.foundation.encode(edge_repeated)).clamp(0, 1)
    torch.testing.assert_close(back, whole[..., :62, :57])


def test_the_encoder_alone_encodes_alike_and_has_no_decoder() -> None:
    whole, half, images = Vae("mini_vae"), VaeEncoder("mini_vae"), make_batch().images
    assert torch.equal(whole.encode(images), half.encode(images))
    assert not any("decoder" in name for name in half.state_dict())


def test_random_weights_are_the_decoders_alone_and_follow_the_seed() -> None:
    shipped, first, same, other = (
        Vae("mini_vae", random_weights=random, seed=seed).state_dict()
        for random, seed in ((False, 0), (True, 1), (True, 1), (True, 2))
    )
    for name, value in shipped.items():
        assert torch.equal(first[name], same[name])
        if "encoder" in name:
            assert torch.equal(first[name], value)
    name = "model.decoder.conv_in.weight"
    assert not torch.equal(first[name], shipped[name])
    assert not torch.equal(first[name], other[name])


def test_missing_weights_say_what_to_do() -> None:
    with pytest.raises(MissingError, match="mini_vae"):
        Vae("/absent/vae")
