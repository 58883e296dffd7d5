"""Where the graph of a run stands, in a file of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


class Checkpoints(AsyncSqliteSaver):
    """Saves where a run stands, and no more."""

    # None: strict, nothing but plain values is revived from a checkpoint.
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Nothing: they spare the finished tasks of a step from running again beside one that failed, and
        ours have one task each, which finds its own rows in the store."""


@asynccontextmanager
async def open_checkpoints(path: Path) -> AsyncIterator[AsyncSqliteSaver]:
    """The checkpoints in a file, each of them durable once it is put."""
    async with Checkpoints.from_conn_string(str(path)) as saver:
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous=FULL")
        yield saver
