"""A web server on this machine that behaves as told: good, slow, broken or hostile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Web:
    """What each path answers, one after another (the last one stays), and what was asked."""

    base: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def at(self, path: str, *answers: Answer) -> None:
        """Let a path give these answers in turn."""
        self.answers[path] = list(answers)

    def take(self, path: str) -> Answer:
        """The path's next answer; 404 when it has none."""
        turn = self.answers.get(path)
        if not turn:
            return status(404)
        return turn.pop(0) if len(turn) > 1 else turn[0]


@contextmanager
def serving() -> Iterator[Web]:
    """A server for the block."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            web.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            try:
                web.take(self.path)(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.base = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()


def body(content: bytes, **headers: str) -> Answer:
    """200 with this content; ``etag`` makes it conditional."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        if headers.get("etag") and request.headers.get("If-None-Match") == headers["etag"]:
            request.send_response(304)
            request.end_headers()
            return
        request.send_response(200)
        for name, value in {"content-length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def status(code: int, **headers: str) -> Answer:
    """An answer without content."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in {"content-length": "0", **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()

    return answer


def truncated(content: bytes) -> Answer:
    """Promise more than is sent, and hang up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("content-length", str(len(content) + 1000))
        request.end_headers()
        request.wfile.write(content)
        request.close_connection = True

    return answer


def endless(request: BaseHTTPRequestHandler) -> None:
    """Never stop sending."""
    request.send_response(200)
    request.end_headers()
    request.close_connection = True
    for _ in range(100_000):
        request.wfile.write(b" " * 65_536)


def silent(seconds: float) -> Answer:
    """Say nothing for a while, then hang up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        threading.Event().wait(seconds)
        request.close_connection = True

    return answer
