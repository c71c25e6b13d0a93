"""A real HTTP server on loopback that answers as the two model hubs do, and misbehaves on request.

Hugging Face: HEAD of ``/ORG/REPO/resolve/main/FILE`` redirects relatively (as for a renamed repository), then tells
checksum and size and redirects to ``/cdn/FILE``. ModelScope: ``/api/v1/models/ORG/REPO/repo/files`` lists, ``…/repo``
redirects to the file.
"""

import hashlib
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Hub:
    """The server, in a thread; a context manager. Change its fields to change its manners."""

    def __init__(self, content):
        self.content = content
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.size = len(content)
        self.break_after = []  # bytes after which one answer after the other breaks off
        self.statuses = []  # answered one after the other instead of the file
        self.ranges = True
        self.chunked = False
        self.step = 64 * 1024
        self.on_chunk = None
        self.asked = []  # method, path, Range
        owner = self

        class Handler(_Handler):
            hub = owner

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def ranges_asked(self):
        return [asked for method, path, asked in self.asked if method == "GET" and path.startswith("/cdn/")]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that goes away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        hub, path = self.hub, urlsplit(self.path).path
        hub.asked.append((self.command, path, self.headers.get("Range")))
        assert self.headers.get("Accept-Encoding") == "identity" or path.endswith("/files")
        if path.startswith("/OFA-Sys/"):
            self.say(307, Location=path.replace("/OFA-Sys/", "/moved/"))
        elif path.startswith("/moved/") and "/resolve/main/" in path:
            told = {"X-Linked-Size": str(hub.size)}
            if hub.sha256:
                told["X-Linked-ETag"] = f'"{hub.sha256}"'
            self.say(302, Location=f"{hub.url}/cdn/{path.rpartition('/')[2]}", ETag='"0123"', **told)
        elif path.endswith("/repo/files"):
            entry = {"Path": "clip_cn_vit-b-16.pt", "Type": "blob", "Size": hub.size, "Sha256": hub.sha256}
            self.body(json.dumps({"Data": {"Files": [{"Path": "README.md", "Type": "blob"}, entry]}}).encode())
        elif path.endswith("/repo"):
            name = parse_qs(urlsplit(self.path).query)["FilePath"][0]
            self.say(302, Location=f"/cdn/{name}")
        elif path.startswith("/cdn/"):
            self.file()
        else:
            self.say(404)

    def say(self, status, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def body(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def file(self):
        hub = self.hub
        if hub.statuses:
            self.say(hub.statuses.pop(0))
            return
        asked, start = self.headers.get("Range"), 0
        if asked and hub.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(hub.content):
                self.say(416)
                return
        self.send_response(206 if asked and hub.ranges else 200)
        if asked and hub.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}")
        if hub.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(hub.content) - start))
        self.end_headers()
        if self.command == "GET":
            with suppress(ConnectionError):
                self.send(hub.content[start:])

    def send(self, content):
        hub = self.hub
        limit = hub.break_after.pop(0) if hub.break_after else None
        content = content if limit is None else content[:limit]
        for at in range(0, len(content), hub.step):
            part = content[at : at + hub.step]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if hub.chunked else part)
            if hub.on_chunk:
                hub.on_chunk()
        if limit is not None:
            self.close_connection = True
        elif hub.chunked:
            self.wfile.write(b"0\r\n\r\n")
