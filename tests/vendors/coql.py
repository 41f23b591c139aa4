"""The part of COQL that a server of the tests understands, with the limits of COQL-Limitations.html."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

WORDS = re.compile(r"\s*(?:'((?:[^']|'')*)'|([\w.$]+)|(>=|<=|!=|[=<>(),]))")
Get = Callable[[str], Any]


class CoqlError(Exception):
    """What Zoho answers to a query that it does not take: `code`, and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Token(NamedTuple):
    kind: str
    text: str


class Coql:
    """One `select … from … where … order by … limit … offset …`; more than two conditions need brackets in pairs."""

    def __init__(self, text: str) -> None:
        self._tokens: list[Token] = []
        at = 0
        while text[at:].strip():
            match = WORDS.match(text, at)
            if not match:
                raise CoqlError("SYNTAX_ERROR", f"error near {text[at : at + 20]!r}")
            quoted, word, sign = match.groups()
            kind = "text" if quoted is not None else "word" if word else "sign"
            self._tokens.append(Token(kind, quoted.replace("''", "'") if quoted is not None else word or sign))
            at = match.end()
        self.used: list[str] = []
        self._take("select")
        self.columns = [self._word()]
        while self._next(","):
            self.columns.append(self._word())
        self._take("from")
        self.module = self._word()
        self._take("where")
        self.holds = self._both()
        if self._next("order"):
            self._take("by")
            if self._word() != "id" or self._next("desc") or not self._next("asc"):
                raise CoqlError("SYNTAX_ERROR", "this server knows the order by id")
        self.limit = int(self._word()) if self._next("limit") else 200
        self.offset = int(self._word()) if self._next("offset") else 0
        if self._tokens:
            raise CoqlError("SYNTAX_ERROR", f"error near {self._tokens[0].text!r}")
        if len(self.columns) > 500 or len(self.used) > 25 or self.limit > 2000:
            raise CoqlError("LIMIT_EXCEEDED", "limit exceeded")

    def _next(self, word: str) -> bool:
        if self._tokens and self._tokens[0].kind != "text" and self._tokens[0].text.lower() == word:
            self._tokens.pop(0)
            return True
        return False

    def _take(self, word: str) -> None:
        if not self._next(word):
            raise CoqlError("SYNTAX_ERROR", f"{word} expected")

    def _word(self) -> str:
        if not self._tokens or self._tokens[0].kind != "word":
            raise CoqlError("SYNTAX_ERROR", "a name expected")
        return self._tokens.pop(0).text

    def _value(self) -> str:
        if not self._tokens or self._tokens[0].kind == "sign":
            raise CoqlError("SYNTAX_ERROR", "a value expected")
        return self._tokens.pop(0).text

    def _both(self) -> Callable[[Get], bool]:
        left = self._one()
        if self._next("and"):
            right = self._one()
            return lambda get: left(get) and right(get)
        if self._next("or"):
            other = self._one()
            return lambda get: left(get) or other(get)
        return left

    def _one(self) -> Callable[[Get], bool]:
        if self._next("("):
            inner = self._both()
            self._take(")")
            return inner
        name = self._word()
        self.used.append(name)
        if self._next("is"):
            wanted = not self._next("not")
            self._take("null")
            return lambda get: (get(name) is None) == wanted
        if self._next("in"):
            self._take("(")
            values = [self._value().casefold()]
            while self._next(","):
                values.append(self._value().casefold())
            self._take(")")
            if len(values) > 100:
                raise CoqlError("LIMIT_EXCEEDED", "in takes 100 values")
            return lambda get: str(get(name) or "").casefold() in values
        if self._next("like"):
            parts = [re.escape(part) for part in self._value().split("%")]
            pattern = re.compile(".*".join(parts), re.I | re.S)
            return lambda get: bool(pattern.fullmatch(str(get(name) or "")))
        if self._next(">"):
            above = int(self._value())
            return lambda get: int(get(name)) > above
        self._take("=")
        value = self._value().casefold()
        return lambda get: str(get(name) or "").casefold() == value
