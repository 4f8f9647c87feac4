"""The built web application: files as they are, every other path the single page (its router decides)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from signaling.error_codes import Refused

NOT_PAGES = ("/api/", "/internal/", "/socket.io/", "/healthz", "/metrics")
HASHED_FOLDER = "assets"
"""Vite puts a content hash into every name under it, so these may be kept for ever."""


class StaticFiles:
    """Serves web/dist."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/{path:.*}", self.serve)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(NOT_PAGES):
            raise Refused("not_found")
        path = request.match_info["path"]
        found = await asyncio.to_thread(self._file, path)
        if found is not None:
            kept = path.startswith(f"{HASHED_FOLDER}/")
            return web.FileResponse(
                found, headers={"Cache-Control": "public, max-age=31536000, immutable" if kept else "no-cache"}
            )
        if path.startswith(f"{HASHED_FOLDER}/"):  # an old page asks for a file of an old build
            raise Refused("not_found")
        index = await asyncio.to_thread(self._file, "index.html")
        if index is None:
            return web.Response(
                status=503, text="网页尚未构建，请先运行 make run。", content_type="text/plain", charset="utf-8"
            )
        return web.FileResponse(index, headers={"Cache-Control": "no-cache"})

    def _file(self, path: str) -> Path | None:
        """The file of a path, if it lies inside the root."""
        if not path or "\0" in path:
            return None
        try:
            candidate = (self._root / path).resolve()
            return candidate if candidate.is_relative_to(self._root) and candidate.is_file() else None
        except (OSError, ValueError):
            return None
