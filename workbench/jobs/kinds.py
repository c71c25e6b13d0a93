"""The kinds of job there are: which lane each queues in and which task function does it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlite_utils import Database

from core.progress import Progress
from db.home import Home

Task = Callable[["JobContext", dict[str, Any]], dict[str, Any]]
"""Does the work from its parameters and returns what the row keeps as its result (both plain JSON)."""


@dataclass(frozen=True)
class JobContext:
    """What a task function may use: its home, a connection of its own, its watcher, its row's id, and the
    provider's key where somebody typed one (it came through a pipe and is stored nowhere)."""

    home: Home
    db: Database
    progress: Progress
    job_id: int
    key: str = ""


@dataclass(frozen=True)
class Kind:
    """``lane`` is gpu, llm, desk or disk: of each, one job works at a time; ``target`` is imported when it is needed.

    ``desk`` is for what somebody at the desk waits for: one passage does not queue behind a book.
    """

    lane: str
    target: str

    def task(self) -> Task:
        """The function itself."""
        module, _, name = self.target.partition(":")
        task: Task = getattr(import_module(module), name)
        return task


KINDS: dict[str, Kind] = {
    "annotate": Kind("llm", "workbench.tasks.annotating:annotate_job"),
    "ask": Kind("desk", "workbench.tasks.annotating:annotate_job"),
    "redraft": Kind("desk", "workbench.tasks.redrafting:redraft_job"),
    "dataset": Kind("disk", "workbench.tasks.datasets:dataset_job"),
    "plan": Kind("gpu", "workbench.tasks.planning:plan_job"),
    "download": Kind("disk", "workbench.tasks.planning:download_job"),
    "train": Kind("gpu", "workbench.tasks.training:train_job"),
    "evaluate": Kind("gpu", "workbench.tasks.evaluating:evaluate_job"),
    "strength": Kind("gpu", "workbench.tasks.strengths:strength_job"),
    "ablate": Kind("gpu", "workbench.tasks.ablating:ablate_job"),
    "demo": Kind("disk", "workbench.tasks.demo:demo_job"),
}
