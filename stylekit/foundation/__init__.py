"""Frozen pretrained models behind one config key: the real ones and the shipped mini ones."""
