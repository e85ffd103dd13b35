"""An application that does not start on a database that is behind its code, or ahead of it: `uvicorn fastapi_app:app`.

The migrations themselves run before, once for all the processes that start: `python migrate.py upgrade`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from migrator import Migrator

ALEMBIC_INI = Path(__file__).resolve().parents[2] / "alembic.ini"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Reads, and never migrates. In a thread, because the database is asked synchronously.
    await asyncio.to_thread(Migrator(ALEMBIC_INI).require_head)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
