"""Where the state lies: the folder of runs and their database."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_state_path

from treemend.store.errors import StoreError

ENVIRONMENT = "TREEMEND_STATE"


def state_path() -> Path:
    """Where the user's state folder of treemend is, or would be made."""
    return Path(os.environ.get(ENVIRONMENT) or user_state_path("treemend")).absolute()


def state_folder() -> Path:
    """The user's state folder of treemend, made (mode 0700) where it is missing.

    Raises:
        StoreError: it can't be made or written to.
    """
    folder = state_path()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The state folder {folder} can't be made: {error.strerror}.",
            mend=f"Set {ENVIRONMENT} to a folder that can be written to.",
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"The state folder {folder} can't be written to.",
            mend=f"Set {ENVIRONMENT} to a folder that can.",
        )
    return folder
