"""Attention Distillation (arXiv 2502.20235), a training-free baseline."""

from methods.attention_distillation.attention_distillation import AttentionDistillation

__all__ = ["AttentionDistillation"]
