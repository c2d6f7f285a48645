"""Launchers: where the tasks of an ablation run."""

from stylekit.launching.launcher import Job, Launcher, Task, run_command
from stylekit.launching.local import Local
from stylekit.launching.ray import Ray
from stylekit.launching.slurm import Slurm

__all__ = ["Job", "Launcher", "Local", "Ray", "Slurm", "Task", "run_command"]
