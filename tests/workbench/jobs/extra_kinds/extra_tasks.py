"""Tasks that end in each way a job can end."""

import sys
import time

from core.errors import InputError
from core.progress import stop_if_asked
from workbench.jobs.kinds import KINDS, Kind

LANES = {"steps": "disk", "steps_gpu": "gpu", "fails": "disk", "breaks": "disk"}


def register():
    for name, lane in LANES.items():
        KINDS[name] = Kind(lane, f"extra_tasks:{name.removesuffix('_gpu')}")


def steps(context, params):
    """Write one line a step, going on after the last; before step ``wait_at`` wait for a file ``go`` in the home."""
    done = context.home.path / f"steps-{context.job_id}.txt"
    for number in range(len(lines(done)), params["total"]):
        while number == params.get("wait_at") and not (context.home.path / "go").exists():
            stop_if_asked(context.progress)
            time.sleep(0.02)
        sys.stdout.write("a library prints here\n")
        with done.open("a", encoding="utf-8") as file:
            file.write(f"{number}\n")
        context.progress.report(number + 1, params["total"], "progress.annotating")
    return {"lines": len(lines(done))}


def lines(file):
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def fails(context, params):
    context.progress.report(2, 5, "progress.annotating")
    raise InputError("text_empty", where="line 3")


def breaks(context, params):
    raise ZeroDivisionError("with a secret sk-0123456789 in it")
