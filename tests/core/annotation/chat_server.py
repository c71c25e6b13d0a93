"""A real HTTP server on loopback that speaks the chat-completions protocol and misbehaves on request.

How to behave is named in a few words, ``NAME[*N][@X]``: ``503*2`` fails the first two calls with the same messages
and then answers, ``429*1@0.5`` with ``Retry-After: 0.5``, ``slow@2`` answers after two seconds. The words are, in this
order: the first of ``rules`` whose key stands in the last user message; ``script``, a callable; the name of the model,
where it begins with ``do-`` (``do-503*2``); else ``ok``.

As a process: ``python tests/core/annotation/chat_server.py --port 0 --latency 0.5`` prints its address on the first
line and lives until its standard input closes or it is killed; ``GET /stats`` tells what it was asked.
"""

import argparse
import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PASSAGE = re.compile(r"<(原文-\d+)>\n(.*?)\n</\1>", re.DOTALL)
PLACE = re.compile(r"[\u4e00-\u9fff]{2}[宫桥门寺观园坊]")
STATUS_BODIES: dict[str, tuple[int, Any]] = {
    "401": (401, {"error": {"message": "Incorrect API key provided: KEY", "code": "invalid_api_key"}}),
    "403": (403, {"error": {"message": "Model access denied.", "code": "access_denied"}}),
    "404": (404, {"error": {"message": "The model `m` does not exist.", "code": "model_not_found"}}),
    "404page": (404, "<html><body>404 page not found</body></html>"),
    "quota": (429, {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}),
    "arrears": (400, {"error": {"message": "Access denied, account not in good standing.", "code": "Arrearage"}}),
    "balance": (429, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}),
    "402": (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
    "inspection": (400, {"error": {"message": "Input data may contain …", "code": "data_inspection_failed"}}),
    "1301": (400, {"contentFilter": [{"level": 1}], "error": {"code": "1301", "message": "系统检测到敏感"}}),
    "context": (400, {"error": {"message": "Range of input length should be [1, 30720]", "code": "x"}}),
    "invalid": (400, {"error": {"message": "max_tokens is wrong; you sent: PASSAGE", "code": "invalid_parameter"}}),
    "429": (429, {"error": {"message": "Requests rate limit exceeded", "code": "limit_requests"}}),
    "500": (500, {"error": {"message": "Internal error"}}),
    "502": (502, "<html><h1>502 Bad Gateway</h1></html>"),
    "503": (503, {"error": {"message": "overloaded"}}),
    "504": (504, ""),
    "error200": (200, {"error": {"code": "1211", "message": "模型不存在"}}),
    "html200": (200, "<html><script>alert(1)</script>login</html>"),
    "envelope": (200, {"object": "list", "data": []}),
}
NO_FORMAT = (400, {"error": {"message": "'response_format.type' json_object is not supported", "code": "invalid"}})
NO_THINKING = (400, {"error": {"message": "parameter.enable_thinking must be set to false for non-streaming calls"}})


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def asked(self) -> str:
        """The last user message."""
        return next((m["content"] for m in reversed(self.body.get("messages", [])) if m["role"] == "user"), "")

    @property
    def passage(self) -> str:
        """What stands between the passage's tags; the whole message where there are none."""
        found = PASSAGE.search(self.asked)
        return found.group(2) if found else self.asked

    @property
    def key(self) -> str:
        """Equal for calls with equal model and messages."""
        return hashlib.sha256(json.dumps([self.model, self.body.get("messages")]).encode()).hexdigest()


def good_answer(passage: str) -> dict[str, Any]:
    """A valid annotation of the passage: a place it names and words of its own."""
    names = list(dict.fromkeys(PLACE.findall(passage)))[:3] or [passage.strip()[:2] or "无"]
    relations = []
    if len(names) > 1 and "东" in passage:
        relations = [{"subject": names[0], "relation": "在……东", "object": names[1], "evidence": "东"}]
    return {
        "entities": [{"name": name, "type": "宫殿" if name.endswith("宫") else "桥梁"} for name in names],
        "relations": relations,
        "spatial_relation": "",
        "modern_chinese": f"今译：{passage[:20]}",
        "english": f"A passage of {len(passage)} characters.",
        "search_prompt": f"南宋临安古画中的{names[0]}",
    }


class ChatServer:
    """The server, in a thread of this process; a context manager. ``calls`` holds every request in order."""

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        rules: Mapping[str, str] | None = None,
        script: Callable[[Call], str] | None = None,
    ) -> None:
        self.latency, self.rules, self.script = latency, dict(rules or {}), script
        self.calls: list[Call] = []
        self.in_flight = self.most_in_flight = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()
        owner = self

        class Handler(_Handler):
            chat = owner

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def behaviour(self, call: Call) -> tuple[str, float]:
        """The name and number of what to do with this call, counted."""
        with self._lock:
            self.calls.append(call)
            self._times[call.key] += 1
            times = self._times[call.key]
        words = next((words for text, words in self.rules.items() if text in call.asked), "")
        if not words and self.script:
            words = self.script(call)
        if not words and call.model.startswith("do-"):
            words = call.model.removeprefix("do-")
        name, _, number = (words or "ok").partition("@")
        name, _, first = name.partition("*")
        return ("ok" if first and times > int(first) else name), float(number or "nan")

    def enter(self, step: int) -> None:
        with self._lock:
            self.in_flight += step
            self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def stats(self) -> dict[str, Any]:
        """How often it was asked, and how often the same thing."""
        with self._lock:
            return {"calls": len(self.calls), "times": dict(self._times), "most_in_flight": self.most_in_flight}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    chat: ChatServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.answer(200, self.chat.stats() if self.path == "/stats" else {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self.answer(404, {"detail": "Not Found"})
            return
        call = Call(body, {name.lower(): value for name, value in self.headers.items()}, time.monotonic())
        name, number = self.chat.behaviour(call)
        self.chat.enter(1)
        try:
            self.chat.closing.wait(self.chat.latency)
            self.behave(call, name, number)
        finally:
            self.chat.enter(-1)

    def behave(self, call: Call, name: str, number: float) -> None:
        given = number == number
        if name in STATUS_BODIES:
            status, said = STATUS_BODIES[name]
            headers = {}
            if given:
                headers["Retry-After"] = f"{number:g}"
            if name == "429" and number < 0:
                headers["Retry-After"] = formatdate(time.time() - number, usegmt=True)
            if isinstance(said, dict):
                key = call.headers.get("authorization", "").removeprefix("Bearer ")
                said = json.loads(json.dumps(said).replace("KEY", key).replace("PASSAGE", call.passage[:80]))
            self.answer(status, said, headers)
        elif name == "noformat" and "response_format" in call.body:
            self.answer(*NO_FORMAT)
        elif name == "nothinking" and call.body.get("enable_thinking") is not False:
            self.answer(*NO_THINKING)
        elif name == "redirect":
            self.answer(302, "", {"Location": self.chat.base_url + "/elsewhere/chat/completions"})
        elif name == "hang":
            self.chat.closing.wait(60)
        elif name == "drip":
            self.begin(200, 10_000)
            while not self.chat.closing.wait(0.02):
                self.wfile.write(b" ")
        elif name == "drop":
            self.reset()
        elif name == "drop-late":
            self.begin(200, 10_000)
            self.wfile.write(b'{"choices": [')
            self.reset()
        else:
            if name == "slow":
                self.chat.closing.wait(number if given else 1.0)
            self.answer(200, self.completion(call, name))

    def completion(self, call: Call, name: str) -> dict[str, Any]:
        good = json.dumps(good_answer(call.passage), ensure_ascii=False)
        content: Any = {
            "empty": "",
            "null": None,
            "notjson": "对不起，我不能回答。",
            "shape": json.dumps({"places": ["德寿宫"], "entities": "德寿宫"}, ensure_ascii=False),
            "huge": "长" * 1_700_000,
            "html": "<html><script>alert(1)</script><p>" + good + "</p></html>",
            "fenced": f"```json\n{good}\n```",
            "prose": f"好的，以下是标注结果：\n{good}\n如需修改请告诉我。",
            "think": f'<think>先看地名 {{"entities": []}}</think>\n{good}',
            "cut": good[: len(good) // 2],
            "reasoning-only": None,
            "surrogate": good[:-1] + ', "note": "\ud800"}',
            "parts": [{"type": "text", "text": good}],
        }.get(name, good)
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if name in ("reasoning", "reasoning-only"):
            message["reasoning_content"] = '{"entities": [{"name": "想", "type": "宫殿"}]}'
        finish = {"cut": "length", "filtered": "content_filter", "sensitive": "sensitive"}.get(name, "stop")
        asked = sum(len(m["content"]) for m in call.body["messages"])
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": call.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": asked, "completion_tokens": len(good), "total_tokens": asked + len(good)},
        }

    def answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.begin(status, len(data), "text/html" if isinstance(body, str) else "application/json", headers)
        self.wfile.write(data)

    def begin(
        self, status: int, length: int, kind: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def reset(self) -> None:
        """Hang up without a word: the client sees a reset connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def main() -> None:
    """Serve until standard input closes; the first line of output is the address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rules", type=json.loads, default={}, help='as JSON: {"words of a passage": "503*2"}')
    chosen = parser.parse_args()
    with ChatServer(port=chosen.port, latency=chosen.latency, rules=chosen.rules) as server:
        print(server.base_url, flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
