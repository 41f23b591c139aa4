"""Calls the command line with each list of arguments of a JSON array on standard input, without a process for each;
writes [exit code, standard output, standard error] of each."""

import contextlib
import io
import json
import sys

from addtocrm.cli import main

results = []
for arguments in json.load(sys.stdin):
    sys.argv = ["addtocrm", *arguments]
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    results.append([code, *texts])
json.dump(results, sys.stdout)
