"""What a step will take, before it is run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Estimate", "Rate"]

_UNITS = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0), ("seconds", 1.0))


@dataclass(frozen=True)
class Estimate:
    """How much is to be done, and what it takes, where that is known."""

    count: int
    seconds: float | None
    price: float | None

    def describe(self) -> str:
        """Say it, as in `1,360,000, about 31.5 hours, for 1,360.00`."""
        parts = [f"{self.count:,}"]
        parts.append("time unknown" if self.seconds is None else f"about {_duration(self.seconds)}")
        if self.price is not None:
            parts.append(f"for {self.price:,.2f}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Rate:
    """How fast and how dear one worker is; None where nobody knows."""

    per_second: float | None = None
    price: float | None = None
    """Of one."""

    def estimate(self, count: int, num_workers: int = 1) -> Estimate:
        """Say what `count` take on so many workers."""
        seconds = None if self.per_second is None else count / (self.per_second * num_workers)
        return Estimate(count, seconds, None if self.price is None else count * self.price)


def _duration(seconds: float) -> str:
    for unit, length in _UNITS:
        if seconds >= 2 * length or unit == "seconds":
            number = seconds / length
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"
    raise AssertionError("unreachable: the last unit takes every duration")
