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
MARK = hashlib.sha256(b"".join(content for _, content in sorted(FILES.items()))).hexdigest()[:12]
"""One for all of them, so that a script finds the others beside it."""


def address(name: str) -> str:
    """Where a file is; another one where the content of any changes."""
    return f"/dashboard/assets/{MARK}/{name}"


@get("/assets/{mark:str}/{name:str}", opt=opened(), sync_to_thread=False)
def asset(mark: str, name: str) -> Response[bytes]:
    if mark != MARK or name not in FILES:
        raise ApiError("not_found", "There is no such file.")
    media_type = f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return Response(
        FILES[name], media_type=media_type, headers={"cache-control": "public, max-age=31536000, immutable"}
    )
