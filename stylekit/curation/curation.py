"""The steps of a curation, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from stylekit.bounds import Positive, bounded
from stylekit.curation.audit import Audit, Embed
from stylekit.curation.encoding import Encode
from stylekit.curation.engine import Engine, Local
from stylekit.curation.pairing import Pair
from stylekit.curation.pool import Listing, Pool
from stylekit.curation.step import RowStep, Step
from stylekit.curation.thinning import Balance, Deduplicate
from stylekit.curation.writing import Write
from stylekit.errors import ConfigError

__all__ = ["STEPS", "Curation"]

STEPS = (
    "list", "pool", "caption", "encode", "deduplicate", "balance", "pair", "synthesize", "embed", "audit",
    "write",
)  # fmt: skip
"""Their names, in order."""


@final
class Curation:
    """From pools of pictures to a data set of styles (MegaStyle, arXiv 2604.08364, section 3).

    Args:
        pool: Reads and checks pictures.
        caption: Makes a style or a content prompt of each.
        encode: Gives each prompt a vector of its meaning; null, if nothing compares prompts by it.
        deduplicate: Takes out prompts that say the same; null for none.
        balance: Takes as many of every kind of prompt; null for all.
        pair: Chooses contents for each style.
        synthesize: Draws the images.
        embed: Gives each image its style vector; null, with audit, to leave the audit out.
        audit: Judges images by the vectors.
        write: Writes the data set and its card.
        engine: Maps the steps that need no other shard over shards.
        rows_per_shard: Pictures of a shard, which is what is begun again after an interruption.
    """

    @bounded
    def __init__(
        self,
        pool: Pool,
        caption: RowStep,
        pair: Pair,
        synthesize: RowStep,
        write: Write,
        encode: Encode | None = None,
        deduplicate: Deduplicate | None = None,
        balance: Balance | None = None,
        embed: Embed | None = None,
        audit: Audit | None = None,
        engine: Engine | None = None,
        rows_per_shard: Positive = 256,
    ) -> None:
        if (embed is None) is not (audit is None):
            raise ConfigError("Curation: the audit judges what embed gives; set both, or both to null.")
        if encode is None and (balance or (deduplicate and deduplicate.compares_meaning)):
            raise ConfigError("Curation: balance and semantic duplicates need the vectors of encode.")
        self.engine = engine or Local()
        chosen: dict[str, Step | None] = {
            "list": Listing(pool.sources, rows_per_shard),
            "pool": pool,
            "caption": caption,
            "encode": encode,
            "deduplicate": deduplicate,
            "balance": balance,
            "pair": pair,
            "synthesize": synthesize,
            "embed": embed,
            "audit": audit,
            "write": write,
        }
        self.steps = {name: step for name, step in chosen.items() if step is not None}
        """By name, in order."""

    @staticmethod
    def settings(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield for each step the node of a curation's config that sets it."""
        listing = {"sources": values["pool"]["sources"], "rows_per_shard": values.get("rows_per_shard")}
        yield "list", listing
        yield from ((name, node) for name, node in values.items() if isinstance(node, dict))
