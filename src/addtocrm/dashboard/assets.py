"""What pages load: styles, scripts and pictures, each known by its content, so that a browser keeps it."""

import hashlib
from importlib.resources import files

from litestar import Response, get

from addtocrm.core.errors import ApiError
from addtocrm.dashboard.guard import opened

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FILES = {
    one.name: one.read_bytes() for one in files("addtocrm.dashboard").joinpath("static").iterdir() if one.is_file()
}
MARKS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in FILES.items()}


def address(name: str) -> str:
    """Where a file is; another one where its content changes."""
    return f"/dashboard/assets/{MARKS[name]}/{name}"


@get("/assets/{mark:str}/{name:str}", opt=opened(), sync_to_thread=False)
def asset(mark: str, name: str) -> Response[bytes]:
    if MARKS.get(name) != mark:
        raise ApiError("not_found", "There is no such file.")
    media_type = f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return Response(
        FILES[name], media_type=media_type, headers={"cache-control": "public, max-age=31536000, immutable"}
    )
