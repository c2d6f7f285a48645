"""A method of somebody else's package."""

from methods.theirs_moments.theirs_moments import TheirsMoments

__all__ = ["TheirsMoments"]
