"""The command line: the same services as the API, for the operator."""

import sys

from addtocrm.cli.app import app
from addtocrm.cli.output import failing


def main() -> None:
    """The entry point `addtocrm`. Exit codes: 0, 1 (failed), 2 (usage)."""
    with failing():
        result = app(exit_on_error=False, print_error=False)
    sys.exit(result if isinstance(result, int) else 0)
