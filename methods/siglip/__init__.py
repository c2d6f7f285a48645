"""SigLIP: the generic image-text tower that style encoders start from."""

from methods.siglip.siglip import SigLIP

__all__ = ["SigLIP"]
