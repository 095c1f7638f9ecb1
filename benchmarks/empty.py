"""An endpoint that does nothing, on the server the product uses: `python -m benchmarks.empty PORT`."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse


def build() -> FastAPI:
    """One address: the body is read, and thrown away."""
    app = FastAPI(openapi_url=None)

    @app.post("/empty")
    async def empty(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({})

    @app.get("/-/ready")
    async def ready() -> JSONResponse:
        return JSONResponse({})

    return app


if __name__ == "__main__":
    uvicorn.run(
        build(), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False, ws="none"
    )
