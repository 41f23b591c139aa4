"""What P2 is held against: the same job on FastAPI, SQLAlchemy and slowapi, as their documentation shows it.

A request looks its key up with the account, checks revocation, plan and scope, is counted, reads the cached result, and
answers it with the rate-limit headers and a request id.
"""

import hashlib
import os
import uuid
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel
from slowapi import Limiter
from slowapi.util import get_remote_address
from sqlalchemy import DateTime, LargeBinary, String, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["BENCH_DATABASE_URL"], pool_size=20)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Key(Base):
    __tablename__ = "keys"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    account_id: Mapped[str]
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    revoked_at: Mapped[Any] = mapped_column(DateTime(timezone=True))


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    plan: Mapped[str]
    available: Mapped[int]


class Result(Base):
    __tablename__ = "results"
    account_id: Mapped[str] = mapped_column(String, primary_key=True)
    operation: Mapped[str] = mapped_column(String, primary_key=True)
    lookup_key: Mapped[str] = mapped_column(String, primary_key=True)
    data: Mapped[Any] = mapped_column(JSON)
    expires_at: Mapped[Any] = mapped_column(DateTime(timezone=True))


class Enrich(BaseModel):
    linkedin_url: str
    refresh: bool = False


async def session() -> Any:
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


async def account_of(db: Session, authorization: Annotated[str, Header()]) -> Account:
    token = authorization.removeprefix("Bearer ")
    found = (
        await db.execute(
            select(Key, Account)
            .join(Account, Account.id == Key.account_id)
            .where(Key.hash == hashlib.sha256(token.encode()).digest())
        )
    ).first()
    if found is None or found.Key.revoked_at is not None:
        raise HTTPException(401)
    if found.Account.plan != "pro" or "enrich" not in found.Key.scopes:
        raise HTTPException(403)
    return found.Account


limiter = Limiter(
    key_func=lambda request: request.headers.get("authorization") or get_remote_address(request), headers_enabled=True
)
app = FastAPI()
app.state.limiter = limiter


@app.post("/v1/people/enrich")
@limiter.limit("100000000/minute;1000000000/hour")
async def enrich(
    request: Request, response: Response, body: Enrich, db: Session, account: Annotated[Account, Depends(account_of)]
) -> dict[str, Any]:
    response.headers["X-Request-Id"] = str(uuid.uuid4())
    result = (
        await db.execute(
            select(Result).where(
                Result.account_id == account.id,
                Result.operation == "people.enrich",
                Result.lookup_key == body.linkedin_url,
                Result.expires_at > func.now(),
            )
        )
    ).scalar_one()
    return {"data": result.data, "cached": True, "credits_deducted": 0, "credits_remaining": account.available}
