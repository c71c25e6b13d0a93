"""400 passages over a server that takes half a second, 32 at once: throughput against the ideal and a serial loop.

The server runs in a process of its own and the peer is the plain loop of `openai` calls, measured in the same run on
fewer passages and scaled (it has no start-up that would not scale). Peak memory is that of this process, over what it
held with everything imported and nothing asked.
"""

import asyncio
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import openai

from core.annotation.client import ChatClient
from core.annotation.endpoints import NO_KEY, endpoint_for
from core.annotation.engine import run

ROOT = Path(__file__).parents[1]
PASSAGES, LATENCY, CONCURRENCY, SERIAL = 400, 0.5, 32, 20


def peak_mb() -> float:
    """The most memory this process ever held, in MB."""
    if platform.system() == "Windows":
        import ctypes
        from ctypes import wintypes

        class Counters(ctypes.Structure):
            _fields_ = [("cb", wintypes.DWORD), ("faults", wintypes.DWORD)] + [
                (name, ctypes.c_size_t) for name in ("peak", "now", "a", "b", "c", "d", "e", "f")
            ]

        counters = Counters(cb=ctypes.sizeof(Counters))
        handle = ctypes.c_void_p(-1)  # the pseudo handle of the process itself
        ctypes.windll.psapi.GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb)
        return counters.peak / 2**20
    import resource

    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def messages_for(number: int) -> list[dict[str, str]]:
    """A request of about the size of a real one."""
    passage = f"德寿宫在望仙桥东，其三百里有一寺，第{number}处。" + "湖山胜概，四时游赏。" * 20
    return [{"role": "system", "content": "标注古籍，答以 JSON。" * 100}, {"role": "user", "content": passage}]


def serial(base_url: str) -> float:
    """Seconds of one passage in the plain loop."""
    client = openai.OpenAI(base_url=base_url, api_key=NO_KEY)
    began = time.perf_counter()
    for number in range(SERIAL):
        client.chat.completions.create(model="m", messages=messages_for(PASSAGES + number))
    return (time.perf_counter() - began) / SERIAL


async def engine(base_url: str) -> tuple[float, float]:
    """Seconds until the client stands (its libraries are loaded then), and of the run."""
    kept: dict[int, str] = {}
    began = time.perf_counter()
    async with ChatClient(endpoint_for("local", base_url=base_url, model="m"), NO_KEY) as client:
        stands = time.perf_counter()
        report = await run(
            range(PASSAGES),
            lambda number: client.ask(messages_for(number), 1000),
            concurrency=CONCURRENCY,
            on_done=lambda number, reply: kept.update({number: reply.text}),
        )
        ended = time.perf_counter()
    if report.done != PASSAGES or len(kept) != PASSAGES:
        raise SystemExit(f"not all passages were done: {report}")
    return stands - began, ended - stands


def main() -> None:
    """Print one JSON document."""
    script = ROOT / "tests" / "core" / "annotation" / "chat_server.py"
    command = [sys.executable, str(script), "--latency", str(LATENCY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        base_url = server.stdout.readline().strip()
        idle = peak_mb()
        start, seconds = asyncio.run(engine(base_url))
        peak = peak_mb()
        one = serial(base_url)
        server.stdin.close()
    ideal = PASSAGES / CONCURRENCY * LATENCY
    document = {
        "passages": PASSAGES,
        "concurrency": CONCURRENCY,
        "latency_seconds": LATENCY,
        "start_seconds": round(start, 2),
        "seconds": round(seconds, 2),
        "ideal_seconds": ideal,
        "of_ideal": round(ideal / seconds, 3),
        "serial_seconds": round(one * PASSAGES, 1),
        "serial_measured_on": SERIAL,
        "faster_than_serial": round(one * PASSAGES / seconds, 1),
        "peak_mb_over_idle": round(peak - idle, 1),
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
