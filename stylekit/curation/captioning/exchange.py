"""One request to an OpenAI-compatible endpoint: sent, waited for so long and no longer, and read."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx2

from stylekit.curation.failure import BUSY, FAILED, TOO_SLOW, UNREACHABLE, Failure

__all__ = ["Trouble", "backoff", "exchange", "retry_after"]

_LARGEST = 2**20  # bytes of an answer
_QUOTED = 200  # characters of what an endpoint says in its defence
_BUSY = {408, 409, 425, 429}
_FAILED = 500  # and above
_DOUBLINGS = 60
_CONFIGURATION = {401: "the key", 403: "access", 404: "the address or the model"}


class Trouble(NamedTuple):
    """What went wrong with a request."""

    failure: Failure
    is_passing: bool
    """Whether to try again makes sense."""
    wait: float | None = None
    """Seconds that the endpoint asks to be left alone."""
    refuses: str = ""
    """What of the configuration it does not take, if it is that."""


def exchange(client: httpx2.Client, body: Mapping[str, Any], timeout: float, secret: str) -> str | Trouble:
    """Send a chat completion and return what is said, empty where nothing is; never with the secret in it."""
    deadline = time.monotonic() + timeout
    received = bytearray()
    try:
        with client.stream("POST", "chat/completions", json=body, timeout=timeout) as response:
            for part in response.iter_bytes():
                received += part
                if len(received) > _LARGEST:
                    return Trouble(Failure("endpoint answered garbage", "The answer does not end."), True)
                if time.monotonic() > deadline:
                    return _too_slow(timeout)
    except httpx2.TimeoutException:
        return _too_slow(timeout)
    except httpx2.HTTPError as error:
        return Trouble(Failure(UNREACHABLE, f"{type(error).__name__}: {error}"[:_QUOTED]), True)
    data = bytes(received).replace(secret.encode(), b"...") if secret else bytes(received)
    if response.status_code != httpx2.codes.OK:
        return _refusal(response.status_code, response.headers.get("retry-after"), data)
    return _read(data)


def backoff(attempt: int, first: float, longest: float, dice: random.Random) -> float:
    """Return how long to wait before the next attempt: up to twice as long each time (full jitter)."""
    return dice.uniform(0.0, min(longest, first * 2.0 ** min(attempt, _DOUBLINGS)))


def retry_after(header: str | None, now: datetime) -> float | None:
    """Read the header: seconds, or a date."""
    if header is None:
        return None
    try:
        seconds = float(header)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _read(data: bytes) -> str | Trouble:
    """Find the words in the answer."""
    try:
        content = json.loads(data)["choices"][0]["message"]["content"]
        if isinstance(content, list):
            content = "".join(part["text"] for part in content if part.get("type") == "text")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return Trouble(Failure("endpoint answered garbage", _quote(data) or "An empty answer."), True)
    if content is None:
        return ""
    if not isinstance(content, str):
        return Trouble(Failure("endpoint answered garbage", _quote(data)), True)
    return content


def _refusal(status: int, header: str | None, data: bytes) -> Trouble:
    detail = f"HTTP {status}: {_quote(data)}"
    if status in _BUSY or status >= _FAILED:
        reason = BUSY if status in _BUSY else FAILED
        return Trouble(Failure(reason, detail), True, retry_after(header, datetime.now(UTC)))
    failure = Failure("endpoint refused the request", detail)
    return Trouble(failure, False, refuses=_CONFIGURATION.get(status, ""))


def _too_slow(timeout: float) -> Trouble:
    return Trouble(Failure(TOO_SLOW, f"No answer in {timeout:g} seconds."), True)


def _quote(data: bytes) -> str:
    return " ".join(data.decode("utf-8", "replace").split())[:_QUOTED]
