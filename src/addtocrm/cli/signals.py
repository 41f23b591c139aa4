"""The signals that end a command: SIGTERM and SIGHUP do it as Ctrl-C does, so that it lets go of what it holds.

A server takes them over when it serves.
"""

import signal
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)

_received: list[int] = []


def end_as_interrupted() -> None:
    """Makes them end the command by KeyboardInterrupt; one that is ignored (nohup) stays so."""
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def exit_code() -> int:
    """Of a command that a signal ended: 128 and its number, as shells have it."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ends the command; where it is ending already, it goes on with that."""
    if _received:
        return
    _received.append(number)
    interrupt = signal.getsignal(signal.SIGINT)  # asyncio has one of its own, which cancels what runs.
    if callable(interrupt):
        interrupt(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt
