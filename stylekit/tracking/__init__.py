"""Tracking: what a run measures goes to its folder first and, from there, to MLflow.

The journals in the run folder (metrics.jsonl and its neighbours) are the buffer: a background thread sends
from them what MLflow does not have yet. So training never waits for a tracking server, memory stays small
however long the server is away, and whatever was not sent can be sent later with `sync`.
"""

from __future__ import annotations

from stylekit.tracking.mlflow import MlflowTracker, sync
from stylekit.tracking.store import prepare_store
from stylekit.tracking.tracker import LocalTracker, Tracker

__all__ = ["LocalTracker", "MlflowTracker", "Tracker", "prepare_store", "sync"]
