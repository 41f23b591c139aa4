"""What pages load: styles, scripts and pictures, each known by its content, so that a browser keeps it."""

import gzip
import hashlib
from importlib.resources import files

from litestar import Response, get

from addtocrm.core.errors import ApiError
from addtocrm.dashboard.guard import opened
from addtocrm.dashboard.visitor import AnyRequest

TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "json": "application/speculationrules+json",
}
FILES = {
    one.name: one.read_bytes() for one in files("addtocrm.dashboard").joinpath("static").iterdir() if one.is_file()
}
MARK = hashlib.sha256(b"".join(content for _, content in sorted(FILES.items()))).hexdigest()[:12]
"""One for all of them, so that a script finds the others beside it."""
GZIP = {"content-encoding": "gzip"}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in FILES.items()}


def address(name: str) -> str:
    """Where a file is; another one where the content of any changes."""
    return f"/dashboard/assets/{MARK}/{name}"


@get("/assets/{mark:str}/{name:str}", opt=opened(), sync_to_thread=False)
def asset(request: AnyRequest, mark: str, name: str) -> Response[bytes]:
    if mark != MARK or name not in FILES:
        raise ApiError("not_found", "There is no such file.")
    packed = takes_gzip(request)
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "vary": "accept-encoding",
        **(GZIP if packed else {}),
    }
    media_type = f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return Response((PACKED if packed else FILES)[name], media_type=media_type, headers=headers)


def takes_gzip(request: AnyRequest) -> bool:
    """Whether the browser understands a body that is compressed."""
    return "gzip" in request.headers.get("accept-encoding", "")
