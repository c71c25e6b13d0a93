"""The demo loop from the command line: suggest 40, build, train, evaluate, search; seconds of each process."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = {
    "demo": ("demo",),
    "suggest": ("annotate", "--provider", "offline", "--limit", "40"),
    "build": ("dataset", "build", "bench"),
    "train": ("train", "--dataset", "bench"),
    "evaluate_zero_shot": ("evaluate", "--dataset", "bench"),
    "evaluate_tuned": ("evaluate", "--dataset", "bench", "--run", "RUN"),
    "search": ("search", "湖中有浮圖二，其旁有畫舫", "--run", "RUN"),
}


def main() -> None:
    """Print one JSON document."""
    seconds: dict[str, float] = {}
    answers: dict[str, dict] = {}
    run = ""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "demo_data"
        for name, words in STEPS.items():
            command = [sys.executable, "-m", "workbench.cli", "--home", str(home)]
            command += [run if word == "RUN" else word for word in words] + ["--json"]
            began = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
            seconds[name] = round(time.perf_counter() - began, 1)
            answers[name] = json.loads(done.stdout)
            run = answers.get("train", {}).get("run", "")
    loop = sum(value for name, value in seconds.items() if name != "demo")
    recall = {name: answers[name]["t2i"]["R@5"] for name in ("evaluate_zero_shot", "evaluate_tuned")}
    document = {
        "seconds": seconds,
        "loop_seconds": round(loop, 1),
        "suggested": answers["suggest"]["done"],
        "r5": recall,
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
