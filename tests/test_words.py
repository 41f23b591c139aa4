"""One word for one thing in what people read: pages, help, messages, the API's document, the docs."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/addtocrm"
NOT_TEXT = ("core/db/migrations/", "core/matching/", "mail/repl", "sources/titles.py", "sample/")
"""Where strings are data, not words of ours."""
BESIDE = {
    r"e-mails?\b": "email",
    r"look-ups?\b": "lookup, look up",
    r"log(?:ged|ging)?[ -]in(?:to)?\b|\blogin\b": "sign in",
    r"log(?:ged|ging)?[ -]out\b|\blogout\b": "sign out",
    r"authori[sz]e again|connect(?:ed)? (?:it |them )?again": "reconnect",
    r"blacklists?\b": "suppression list",
    r"accept-all\b": "catch-all",
    r"allowances?\b": "rate limit",
}
FORBIDDEN = {re.compile(rf"(?<![\w/.-])(?:{pattern})", re.IGNORECASE): word for pattern, word in BESIDE.items()}


@cache
def spoken(path: Path) -> list[str]:
    """The texts of a file that people read."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        return [re.sub(r"\{[%#].*?[%#]\}|\{\{.*?\}\}|<[^>]+>", " ", text)] if path.suffix == ".html" else [text]
    tree = ast.parse(text)
    hidden = () if "cli" in path.parts or path.name == "routes.py" else documented(tree)
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [str(node.value) for node in strings if id(node) not in hidden]


def documented(tree: ast.Module) -> set[int]:
    """The docstrings, which only who reads the code sees."""
    alone = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    return {id(node) for node in alone if isinstance(node, ast.Constant)}


FILES = [
    *(path for path in SOURCE.rglob("*.py") if not str(path.relative_to(SOURCE)).startswith(NOT_TEXT)),
    *SOURCE.rglob("*.html"),
    *SOURCE.rglob("static/*.js"),
    *(ROOT / "docs").rglob("*.md"),
    ROOT / "README.md",
]


@pytest.mark.parametrize(("pattern", "word"), FORBIDDEN.items(), ids=list(FORBIDDEN.values()))
def test_words(pattern: re.Pattern[str], word: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text[max(match.start() - 40, 0) : match.end() + 20]!r}"
        for path in FILES
        for text in spoken(path)
        for match in pattern.finditer(text)
    ]
    assert not found, f"say {word}:\n" + "\n".join(found)
