"""What P1 is held against: a bare Litestar handler that decodes the same body and answers the same JSON."""

import json
import os
from typing import Any

import msgspec
from litestar import Litestar, post

ANSWER: dict[str, Any] = json.loads(os.environ.get("BENCH_ANSWER", "{}"))


class Enrich(msgspec.Struct):
    linkedin_url: str
    refresh: bool = False


@post("/v1/people/enrich", status_code=200)
async def enrich(data: Enrich) -> dict[str, Any]:
    return ANSWER


app = Litestar([enrich], openapi_config=None, logging_config=None)
