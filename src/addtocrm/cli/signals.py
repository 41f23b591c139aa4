"""The signals that end a command: SIGTERM and SIGHUP do it as Ctrl-C does, so that it lets go of what it holds.

A server takes them over when it serves.
"""

import signal
from types import FrameType

ENDING = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
"""Them, and who handles them at the start; one that is ignored (nohup) stays so."""

_received: list[int] = []


def end_as_interrupted() -> None:
    """Makes the first of them end the command by KeyboardInterrupt; the command ends already when others come."""
    for number, usual in ENDING.items():
        if signal.getsignal(number) == usual:
            signal.signal(number, _interrupt)


def exit_code() -> int:
    """Of a command that a signal ended: 128 and its number, as shells have it."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _received:
        _received.append(number)
        raise KeyboardInterrupt
