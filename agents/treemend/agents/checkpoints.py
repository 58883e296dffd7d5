"""Where the graph of a run stands, in a file of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        CheckpointTuple,
    )


class Checkpoints(SqliteSaver):
    """Saves in the thread of the loop: handing each statement to another thread and back, as
    AsyncSqliteSaver does, takes more CPU time than the statements."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Nothing: they spare the finished tasks of a step from running again beside one that failed, and
        ours have one task each, which finds its own rows in the store."""


@contextmanager
def open_checkpoints(path: Path) -> Iterator[Checkpoints]:
    """The checkpoints in a file, each of them durable once it is put."""
    with closing(sqlite3.connect(path)) as connection:
        # None: strict, nothing but plain values is revived from a checkpoint.
        saver = Checkpoints(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        saver.setup()
        connection.execute("PRAGMA synchronous=FULL")
        yield saver
