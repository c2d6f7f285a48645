"""A baseline: the architecture of a foundation without what it learned."""

from methods.untrained_tower.untrained_tower import UntrainedTower

__all__ = ["UntrainedTower"]
