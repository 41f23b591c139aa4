"""What people send by forms."""

import re
from typing import Any, TypeVar

import msgspec
from litestar.datastructures import UploadFile

from addtocrm.core.errors import ApiError, Detail
from addtocrm.dashboard.visitor import AnyRequest

WRITTEN = ("lines", "note", "description", "reason")
"""The fields that people write longer texts in; what is in them is no secret."""
LENGTH = re.compile(r"length <= (\d+)")
T = TypeVar("T", bound=msgspec.Struct)


async def read(request: AnyRequest, type: type[T]) -> T:
    """The form as a Struct: of a field that takes several values, all that are given; an empty text where the field
    has a default is as if it was not there. Raises ApiError with the path of each wrong field."""
    form = await request.form()
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(type):
        given = [value for value in form.getall(field.encode_name, []) if isinstance(value, str)]
        if _is_many(field.type):
            values[field.encode_name] = given
        elif given and (given[0].strip() or field.required):
            values[field.encode_name] = given[0].replace("\0", "")
    try:
        return msgspec.convert(values, type, strict=False)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`")
        text = f"{field.replace('_', ' ').capitalize()} {_plain(said)}"
        raise ApiError("validation_error", text, details=[Detail(field, text)]) from None


async def uploaded(request: AnyRequest, name: str) -> bytes | None:
    """The content of a file that was chosen in a field; None for none."""
    given = (await request.form()).get(name)
    return await given.read() if isinstance(given, UploadFile) and given.filename else None


async def texts(request: AnyRequest) -> dict[str, str]:
    """The texts of a form whose fields are not known beforehand, without what surrounds them."""
    form = await request.form()
    return {name: value.replace("\0", "").strip() for name, value in form.items() if isinstance(value, str)}


async def written(request: AnyRequest) -> dict[str, str]:
    """The longer texts that somebody wrote in a form."""
    given = await texts(request)
    return {name: given[name] for name in WRITTEN if given.get(name)}


def asked(request: AnyRequest, name: str) -> str:
    """What the address of a page asks for by `name`, as a text that the database takes."""
    return request.query_params.get(name, "").replace("\0", "")


def faults(error: ApiError) -> dict[str, str]:
    """What is wrong with each field; under `""` what is wrong with the whole."""
    found = {detail.path: detail.message for detail in error.details}
    return found or {"": error.message}


def _plain(said: str) -> str:
    """What the library says of a value, in the words of a page."""
    if found := LENGTH.search(said):
        return f"is longer than {int(found[1]):,} characters."
    if "regex" in said or ">= 1" in said:
        return "is empty."
    return "is not one of the choices." if "enum" in said else "is missing or not understood."


def _is_many(type: Any) -> bool:
    return getattr(type, "__origin__", None) in (list, tuple)
