"""Frozen pretrained models behind one config key: real ones by hub name or path, and the shipped mini ones."""
