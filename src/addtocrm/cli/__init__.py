"""The command line: the same services as the API, for the operator."""

import os
import sys

from cyclopts import CycloptsError

from addtocrm.cli import signals
from addtocrm.cli.app import app, load_for_help
from addtocrm.cli.output import failing


def main() -> None:
    """The entry point `addtocrm`. Exit codes: 0, 1 (failed), 2 (usage), 128 and more (ended by a signal)."""
    os.umask(0o077)  # Backups, exports and refused rows are people's data: what we write is its owner's alone.
    with failing():
        signals.end_as_interrupted()
        _check_text(sys.argv[1:])
        load_for_help(sys.argv[1:])
        result = app(exit_on_error=False, print_error=False)
    sys.exit(result if isinstance(result, int) else 0)


def _check_text(arguments: list[str]) -> None:
    """Raises CycloptsError for an argument that is not UTF-8, which Python has as lone surrogates (PEP 383)."""
    for place, argument in enumerate(arguments, 1):
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise CycloptsError(msg=f"Argument {place} is not text in UTF-8.")
