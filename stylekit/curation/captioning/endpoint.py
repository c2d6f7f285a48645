"""Captions from any OpenAI-compatible endpoint: vLLM, `transformers serve`, a paid service."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, final
from urllib.parse import urlsplit

import httpx2
from annotated_types import Ge, Le

from stylekit.bounds import AboveZero, NonNegative, Positive, bounded
from stylekit.curation.captioning.captioner import Captioner, Query
from stylekit.curation.captioning.exchange import Trouble, backoff, exchange
from stylekit.curation.captioning.picture import data_url, open_picture
from stylekit.curation.failure import Failure
from stylekit.errors import ConfigError, MissingError

__all__ = ["Endpoint"]

_SEVERAL = 3  # different pictures: about one alone, an endpoint may be right


@final
class Endpoint(Captioner):
    """Asks an endpoint, several questions at a time; what it fails at costs the item.

    A request that fails in passing is sent again after a wait that grows and is drawn from the seed, or after
    the one that the endpoint asks for. An endpoint that has never answered, and refuses several pictures for
    the key, the model or the address, or fails at them, ends the run, since no item could be captioned.

    Args:
        url: Where the API is, as in http://localhost:8000/v1.
        model: Its name there.
        key_variable: The environment variable that holds the key; null for none. The key is written nowhere.
        concurrency: Requests under way at once.
        timeout: Seconds for one request, the whole of its answer.
        attempts: How often a request is sent at most.
        first_wait: Seconds before the second attempt, at most; twice as many before each next one.
        longest_wait: Seconds between two attempts at most, whatever the endpoint asks for.
        max_tokens: The longest answer.
        temperature: Of sampling; 0 for the likeliest words.
        longest_side: Larger images are made smaller before they are sent.
        extra: More for the body of each request, as `chat_template_kwargs` of vLLM.
        seed: Of waits, and, with the item, of sampling where the endpoint supports it.
    """

    not_in_digest = frozenset(
        {"url", "key_variable", "concurrency", "timeout", "attempts", "first_wait", "longest_wait"}
    )

    @bounded
    def __init__(
        self,
        url: str,
        model: str,
        key_variable: str | None = None,
        concurrency: Positive = 16,
        timeout: AboveZero = 120.0,
        attempts: Positive = 6,
        first_wait: AboveZero = 1.0,
        longest_wait: AboveZero = 60.0,
        max_tokens: Positive = 128,
        temperature: Annotated[NonNegative, Le(2)] = 0.0,
        longest_side: Positive = 1024,
        extra: Mapping[str, Any] | None = None,
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"captioner.url must begin with http:// or https://, not {url!r}.")
        parts = urlsplit(url)
        if "@" in parts.netloc or parts.query or parts.fragment:  # it is not shown: it may be a secret
            raise ConfigError(
                "captioner.url is an address only: what follows ? or stands before @ would be written down "
                "with the config. Export the key, and give the variable's name as captioner.key_variable."
            )
        self.url, self.model, self.key_variable = url, model, key_variable
        self.concurrency, self.timeout, self.attempts = concurrency, timeout, attempts
        self.first_wait, self.longest_wait = first_wait, longest_wait
        self.max_tokens, self.temperature, self.longest_side = max_tokens, temperature, longest_side
        self.extra, self.seed = dict(extra or {}), seed
        self._has_answered = threading.Event()
        self._unanswered: set[str] = set()

    def answer(self, queries: Sequence[Query]) -> list[str | Failure]:
        """Ask all, `concurrency` at once; the order of the answers is that of the questions."""
        key, stop = self._key(), threading.Event()
        enough = min(_SEVERAL, len({query.subject.id for query in queries}))
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx2.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency)
        with (
            httpx2.Client(base_url=self.url, headers=headers, limits=limits) as client,
            ThreadPoolExecutor(self.concurrency) as pool,
        ):
            waiting = [pool.submit(self._answer, client, query, key, stop, enough) for query in queries]
            try:
                return [one.result() for one in waiting]
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)

    def _answer(
        self, client: httpx2.Client, query: Query, key: str, stop: threading.Event, enough: int
    ) -> str | Failure:
        picture = open_picture(query.subject.image, self.longest_side)
        if isinstance(picture, Failure):
            return picture
        number = int.from_bytes(
            hashlib.sha256(f"{self.seed} {query.subject.id}".encode()).digest()[:4], "big"
        )
        body = self._body(data_url(picture), query.text, number)
        dice = random.Random(f"{number} {query.text}")
        attempt = 0
        while not stop.is_set():
            said = exchange(client, body, self.timeout, key)
            if not isinstance(said, Trouble):
                self._has_answered.set()
                return said
            if not said.is_passing:
                return self._lasting(said, query, stop, enough)
            wait = backoff(attempt, self.first_wait, self.longest_wait, dice)
            attempt += 1
            if attempt == self.attempts or stop.wait(min(self.longest_wait, max(wait, said.wait or 0.0))):
                return self._lasting(said, query, stop, enough)
        return Failure("not asked", "the run was broken off")

    def _lasting(self, trouble: Trouble, query: Query, stop: threading.Event, enough: int) -> Failure:
        """Return what an item failed at, or end the run where it is not the item."""
        if self._has_answered.is_set() or not (trouble.refuses or trouble.is_passing) or stop.is_set():
            return trouble.failure
        self._unanswered.add(query.subject.id)
        if len(self._unanswered) < enough:
            return trouble.failure
        stop.set()  # at once: the others would go on asking until this is noticed
        reason, detail = trouble.failure
        if trouble.refuses:
            raise ConfigError(
                f"The endpoint {self.url} does not take {trouble.refuses} ({detail}). Correct "
                "captioner.url, captioner.model or the key in captioner.key_variable, and run it again."
            )
        raise MissingError(
            f"The endpoint {self.url} has answered nothing ({reason}: {detail}). Start it, or correct "
            "captioner.url, and run it again."
        )

    def _body(self, image: str, text: str, number: int) -> dict[str, Any]:
        content = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": text}]
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": number >> 1,  # some servers read 32 bits with a sign
            **self.extra,
        }

    def _key(self) -> str:
        if self.key_variable is None:
            return ""
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise MissingError(
                f"There is no key in the environment variable {self.key_variable}, which "
                "captioner.key_variable names: export it, or set captioner.key_variable=null for an endpoint "
                "that needs none."
            )
        if not (key.isascii() and key.isprintable()):  # a message of the HTTP client would show it
            raise ConfigError(f"What the environment variable {self.key_variable} holds is not a key.")
        return key

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_has_answered"} | {
            "_unanswered": set()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _has_answered=threading.Event())
