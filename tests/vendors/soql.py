"""The part of SOQL that a server of the tests understands, strict as the SOQL guide is."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\\n\r]|\\.)*')|(?P<word>[A-Za-z_][\w.]*)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<sign><=|>=|!=|[=<>(),]))",
    re.DOTALL,
)
Get = Callable[[str], Any]


class SoqlError(Exception):
    """MALFORMED_QUERY."""


class Select(NamedTuple):
    fields: list[str]
    object: str
    where: Callable[[Get], bool]
    filtered: list[str]
    order: list[tuple[str, bool]]
    limit: int | None


def parse(text: str) -> Select:
    return _Parser(text).select()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, Any]] = []
        self.filtered: list[str] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise SoqlError(f"unexpected token: {text[at : at + 20]!r}")
            kind = match.lastgroup or ""
            liked = bool(self.tokens) and str(self.tokens[-1][1]).upper() == "LIKE"
            self.tokens.append((kind, _literal(match[kind], liked) if kind == "text" else match[kind]))
            at = match.end()

    def peek(self) -> str:
        return str(self.tokens[0][1]).upper() if self.tokens and self.tokens[0][0] in ("word", "sign") else ""

    def take(self, *wanted: str) -> str:
        if not self.tokens or (wanted and self.peek() not in wanted):
            raise SoqlError(f"unexpected token: {self.tokens[0][1] if self.tokens else 'end'!r}, wanted {wanted}")
        return str(self.tokens.pop(0)[1])

    def word(self) -> str:
        if not self.tokens or self.tokens[0][0] != "word":
            raise SoqlError("a name is missing")
        return self.take()

    def select(self) -> Select:
        self.take("SELECT")
        fields = [self.word()]
        while self.peek() == ",":
            self.take()
            fields.append(self.word())
        if len({field.lower() for field in fields}) < len(fields):
            raise SoqlError("duplicate field selected")
        self.take("FROM")
        name, where, order, limit = self.word(), _always, [], None
        if self.peek() == "WHERE":
            self.take()
            where = self.condition()
        if self.peek() == "ORDER":
            self.take()
            self.take("BY")
            order.append(self.ordered())
            while self.peek() == ",":
                self.take()
                order.append(self.ordered())
        if self.peek() == "LIMIT":
            self.take()
            limit = int(self.take())
        if self.tokens:
            raise SoqlError(f"unexpected token: {self.tokens[0][1]!r}")
        return Select(fields, name, where, self.filtered, order, limit)

    def ordered(self) -> tuple[str, bool]:
        path = self.word()
        return path, self.peek() in ("ASC", "DESC") and self.take().upper() == "DESC"

    def condition(self) -> Callable[[Get], bool]:
        parts = [self.one()]
        joint = self.peek()
        while self.peek() in ("AND", "OR"):
            if self.take().upper() != joint:
                raise SoqlError("AND and OR need parentheses where both are used")
            parts.append(self.one())
        decide = any if joint == "OR" else all
        return lambda get: decide(part(get) for part in parts)

    def one(self) -> Callable[[Get], bool]:
        if self.peek() == "(":
            self.take()
            inner = self.condition()
            self.take(")")
            return inner
        path = self.word()
        self.filtered.append(path)
        sign = self.take("=", "!=", "<", "<=", ">", ">=", "IN", "LIKE").upper()
        if sign == "LIKE":
            pattern = _pattern(self.tokens.pop(0)[1])
            return lambda get: bool(pattern.fullmatch(str(get(path) or "")))
        if sign == "IN":
            self.take("(")
            values = [self.value()]
            while self.peek() == ",":
                self.take()
                values.append(self.value())
            self.take(")")
            held = {_folded(path, value) for value in values}
            return lambda get: _folded(path, get(path)) in held
        value = self.value()
        if sign in ("=", "!="):
            return lambda get: (_folded(path, get(path)) == _folded(path, value)) is (sign == "=")
        compare = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}[sign]
        return lambda get: get(path) is not None and bool(getattr(get(path), compare)(value))

    def value(self) -> Any:
        if not self.tokens:
            raise SoqlError("a value is missing")
        kind, value = self.tokens.pop(0)
        if kind == "text":
            if len(value) > 4000:
                raise SoqlError("a string of more than 4,000 characters")
            return value
        if kind == "number":
            return float(value)
        if kind == "word" and value.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[value.lower()]
        raise SoqlError(f"no value: {value!r}")


def _literal(quoted: str, liked: bool) -> str:
    def plain(match: re.Match[str]) -> str:
        escape = match[1]
        if liked and escape in ("%", "_"):
            return match[0]
        if escape[0] == "u" and len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape.lower() not in ESCAPES:
            raise SoqlError(f"invalid string literal: illegal character sequence '\\{escape}'")
        return ESCAPES[escape.lower()]

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", plain, quoted[1:-1], flags=re.DOTALL)


def _pattern(text: str) -> re.Pattern[str]:
    signs = {"%": ".*", "_": "."}
    found = re.findall(r"\\[%_]|.", text, re.DOTALL)
    return re.compile("".join(signs.get(one) or re.escape(one[-1]) for one in found), re.I | re.S)


def _folded(path: str, value: Any) -> Any:
    """By what two values are the same: texts in any case, ids by their first 15 characters."""
    if not isinstance(value, str):
        return value
    return value[:15] if path.endswith("Id") else value.lower()


def _always(get: Get) -> bool:
    return True
