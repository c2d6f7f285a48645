"""The autoencoder of the latent generators."""

from methods.autoencoder.autoencoder import Autoencoder

__all__ = ["Autoencoder"]
