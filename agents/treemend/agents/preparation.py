"""The private tree of a run, made once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from treemend.agents.plain_text import counted
from treemend.agents.progress import Noted, PhaseEnded
from treemend.agents.run_context import RunContext
from treemend.store.errors import StoreError, UsageError
from treemend.tools.worktree import make_private_tree


def copy_tree(context: RunContext) -> None:
    """Copy the user's tree into the run's folder, unless that was done before.

    Raises:
        UsageError: there is nothing to copy.
        StoreError: the copy that was made before is gone.
    """
    recorded = context.store.get_blob(context.id, "tree")
    if recorded is not None:
        context.listener(PhaseEnded("copied before"))
        if not context.tree.is_dir():
            raise StoreError(
                f"The private tree of run {context.id} is gone from {context.folder}.",
                mend=f"Start the run anew with `treemend {context.task.kind}`.",
            )
        return
    shutil.rmtree(context.tree, ignore_errors=True)
    context.folder.mkdir(parents=True, exist_ok=True)
    made = make_private_tree(Path(context.task.repo), context.tree, commit=context.task.commit)
    if not made.files:
        raise UsageError(
            f"There is nothing to repair in {context.task.repo}.", mend="Give the top folder of a project."
        )
    facts = {"digest": made.digest, "files": len(made.files), "notes": list(made.notes)}
    context.store.put_blob(context.id, "tree", json.dumps(facts).encode())
    for note in made.notes:
        context.listener(Noted(note))
    context.listener(PhaseEnded(f"{counted(len(made.files), 'file')} copied to work on"))
