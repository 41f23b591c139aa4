"""The lines of a text file, in whichever Unicode encoding it is."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, TextIO, cast

LONGEST_LINE = 1_000_000

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ZEROS = {"x000": "utf-32-le", "000x": "utf-32-be", "x0x0": "utf-16-le", "0x0x": "utf-16-be"}
"""Which of the first four bytes are zero where a text begins with ASCII and has no mark (RFC 4627, section 3)."""

codecs.register_error("surrogate", lambda error: ("\udcff", cast(UnicodeDecodeError, error).end))


def opened(binary: BinaryIO, newline: str) -> TextIO:
    """UTF-8, UTF-16 or UTF-32 as text, by its byte-order mark or its zeros; bytes that are none become lone
    surrogates. Lines end as `newline` says (see `open`).
    """
    head = cast(io.BufferedReader, binary).peek(4)[:4]
    marked = next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)
    encoding = marked or ZEROS.get("".join("x" if byte else "0" for byte in head), "utf-8")
    errors = "surrogateescape" if encoding.startswith("utf-8") else "surrogate"
    return io.TextIOWrapper(binary, encoding=encoding, errors=errors, newline=newline)


def lines(text: TextIO) -> Iterator[str]:
    """The lines with their ends; of one longer than LONGEST_LINE only that many characters."""
    while line := text.readline(LONGEST_LINE):
        yield line
        while not line.endswith(("\n", "\r")) and (line := text.readline(LONGEST_LINE)):
            pass


def storable(text: str) -> str:
    """The text without what neither JSON nor PostgreSQL can hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
