"""The command that starts the dashboard: `serve`."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 8501,
) -> int:
    """Start the dashboard: upload, watch, read and compare audits. One user, this machine."""
    from app.serve import serve as start

    start(host, port)
    return 0
