"""Structured logs: one JSON document a line on standard error, with the request id in every line of a request."""

import contextlib
import logging
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import msgspec
import structlog

PIPE_BYTES = 4096
"""What a pipe takes in one piece, also of several processes (POSIX's PIPE_BUF on Linux)."""
ENCODER = msgspec.json.Encoder()
NEVER = ("authorization", "token", "key", "password", "secret")
WHAT = ("timestamp", "level", "event", "vendor", "provider", "operation")
TOLD = (*WHAT, "method", "host", "status", "outcome", "error", "ms")
"""What of a line an account may read: no trace, nothing of a body, nobody's name."""
MOST_TOLD = 20


request_id: ContextVar[str] = ContextVar("request_id")
"""The request that this context works for."""

told: ContextVar[list[dict[str, Any]]] = ContextVar("told")
"""What the account may read of the lines of the request that this context works for."""


def configure(level: str, *, pretty: bool = False) -> None:
    """Sets the process's logging up: JSON lines, or readable ones for a person at a terminal."""
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(_dumps)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_secrets,
            _tell,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if pretty
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[Libraries()], force=True)


class Libraries(logging.Handler):
    """What libraries say by the standard library's logging, in the form of our own lines; of an exception its kind and
    words, for it is they who deal with it."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        told = {"error": f"{type(error).__name__}: {error}"} if error else {}
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, **told)


def _add_request_id(_logger: Any, _method: str, line: Any) -> Any:
    if id := request_id.get(None):
        line.setdefault("request_id", id)
    return line


def write(documents: Iterable[Any]) -> None:
    """Writes documents as lines, as many at once as no other process's lines can come between.

    What cannot be written (the disk is full, nobody reads) is lost.
    """
    lines = ENCODER.encode_lines(documents)
    begin = 0
    with contextlib.suppress(OSError):
        while begin < len(lines):
            end = lines.rfind(b"\n", begin, begin + PIPE_BYTES) + 1 or lines.find(b"\n", begin) + 1
            sys.stderr.buffer.write(lines[begin:end])
            sys.stderr.buffer.flush()
            begin = end


def _dumps(line: Any, **_: Any) -> bytes:
    return ENCODER.encode(line)


def _hide_secrets(_logger: Any, _method: str, line: Any) -> Any:
    for name in NEVER:
        if name in line:
            line[name] = "[hidden]"
    return line


def _tell(_logger: Any, _method: str, line: Any) -> Any:
    """Keeps a line of a request for its account; not what a library says, which may have anything in it."""
    lines = told.get(None)
    if lines is not None and len(lines) < MOST_TOLD and "logger" not in line:
        lines.append({name: line[name] for name in TOLD if name in line})
    return line
