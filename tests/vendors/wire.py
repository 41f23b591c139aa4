"""HTTP as a vendor's server has it: a request, the answer to it, and a connection that is cut."""

import json
import socket
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit


class Request(NamedTuple):
    """`path` is decoded; `query` and `form` have the last value of each name; `json` is None without a JSON body."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    json: Any
    form: dict[str, str]
    raw: bytes


class Answer(NamedTuple):
    """`body` is sent as JSON; a text or bytes as they are, None as nothing."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = {}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200
    """Of more that connect at once, the next would try again after a second."""


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Ends the connection."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def read(handler: BaseHTTPRequestHandler) -> Request:
    split = urlsplit(handler.path)
    raw = handler.rfile.read(int(handler.headers.get("content-length", 0)))
    kind = handler.headers.get("content-type", "").partition(";")[0]
    headers = {name.lower(): value for name, value in handler.headers.items()}
    return Request(
        handler.command,
        unquote(split.path),
        _last(split.query),
        headers,
        json.loads(raw) if raw and kind == "application/json" else None,
        _last(raw.decode()) if kind == "application/x-www-form-urlencoded" else {},
        raw,
    )


def _last(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    body = b""
    kind = "application/json"
    if isinstance(answer.body, str | bytes):
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        kind = "text/html"
    elif answer.body is not None:
        body = json.dumps(answer.body).encode()
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    if "content-type" not in {name.lower() for name in answer.headers} and body:
        handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
