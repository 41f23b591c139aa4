"""Requests as Structs: decoded strictly, with the path of what is wrong."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from addtocrm.core.errors import ApiError, invalid

T = TypeVar("T")

PATH = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
KEYED = re.compile(r"\$\.([^\[\]`]+)\[\.\.\.\]")
KEYS_TRIED = 100
"""Of an object with more keys than a request may have none is looked at twice."""
LONGEST_INTEGER = 4000
FIELD = re.compile(r"field `([^`]+)`")


def decode(body: bytes, type: type[T]) -> T:
    """The JSON body as `type`. Raises ApiError `validation_error` that names the field's path."""
    if not body:
        raise invalid("", "The body is empty; send a JSON object.")
    try:
        value = msgspec.json.decode(body, type=type)
        if b"\\u0000" in body:
            _refuse_unfit(_document(body), "")
        return value
    except msgspec.ValidationError as error:
        document = _document(body)
        if "out of range" in str(error):
            _refuse_unfit(document, "")
        raise _validation_error(_with_key(str(error), document, type)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise invalid("", f"The body is not valid JSON in UTF-8: {reason}.") from None


def _document(body: bytes) -> Any:
    """The body without a type; None where it is broken behind what is wrong. Numbers beyond all floats are infinite."""
    try:
        return json.loads(body, parse_int=lambda digits: int(digits) if len(digits) < LONGEST_INTEGER else math.inf)
    except (ValueError, RecursionError):
        return None


def _with_key(text: str, document: Any, type: Any) -> str:
    """The message with the key of the value that it is about, where msgspec says `[...]` for any key of an object."""
    found = KEYED.search(text)
    if not found or document is None:
        return text
    values = document
    for name in found.group(1).split("."):
        values = values[name]
    for key, value in list(values.items())[:KEYS_TRIED]:
        values.clear()
        values[key] = value
        try:
            msgspec.convert(document, type)
        except msgspec.ValidationError as error:
            if str(error) == text:
                return text.replace(found.group(), f"$.{found.group(1)}.{key}")
    return text


def _validation_error(text: str) -> ApiError:
    found = PATH.search(text)
    path = found.group(1) if found else ""
    message = PATH.sub("", text)
    field = FIELD.search(message)
    if field and ("missing required" in message or "unknown field" in message):
        path = f"{path}.{field.group(1)}" if path else field.group(1)
        message = "is required." if "missing required" in message else "is not a field of this request."
    else:
        message = f"{message[0].lower()}{message[1:]}."
    return invalid(path, message if path else message[0].upper() + message[1:])


def _refuse_unfit(value: Any, path: str) -> None:
    """Raises ApiError for a NUL character and for an infinite number."""
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid(path, "is too large a number.")
    if isinstance(value, str) and "\0" in value:
        raise invalid(path, "must not hold the NUL character.")
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            _refuse_unfit(key, path)
            _refuse_unfit(inner, f"{path}.{key}" if path else str(key))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list):
        for position, inner in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            _refuse_unfit(inner, f"{path}[{position}]")


def query(pairs: Iterable[tuple[str, str]], type: type[T]) -> T:
    """Query parameters as `type`; a repeated one is a list, an empty one is absent.

    Raises ApiError `validation_error` that names the parameter.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(cast(Any, type))}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            raise invalid(name, "is not a parameter of this request.")
        if "\0" in value or not _is_unicode(value):
            raise invalid(name, "must be UTF-8 text without the NUL character.")
        if not value:
            continue
        if _takes_list(fields[name].type):
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    try:
        return msgspec.convert(values, type, strict=False)
    except msgspec.ValidationError as error:
        raise _validation_error(str(error)) from None


def _takes_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(_takes_list(part) for part in get_args(hint))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
