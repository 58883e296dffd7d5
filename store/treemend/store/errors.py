"""The errors a user can meet. Each says what happened, where, and what to do now.

TreemendError                 exit 1
├── UsageError                exit 2: a bad path, an unknown test id, no tests
├── SandboxUnavailableError   exit 6: no mechanism can confine the code under test here
├── StoreError                exit 8: the state folder or its database can't be used
└── ModelError                exit 9: a model can't be reached or answers nothing usable

Answers ("nothing plausible", "cannot reproduce", "budget spent") are outcomes of a run
(`records.Outcome`), never exceptions.
"""

from __future__ import annotations


class TreemendError(Exception):
    """An error with its mend.

    `message` says what happened and where; `mend` is the one thing to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, mend: str) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}\n{self.mend}"


class UsageError(TreemendError):
    """What the user gave can't be worked on."""

    exit_code = 2


class SandboxUnavailableError(TreemendError):
    """No sandbox works here, or the one at hand broke before the code under test ran."""

    exit_code = 6


class StoreError(TreemendError):
    """The state folder or its database can't be read, written or trusted."""

    exit_code = 8


class ModelError(TreemendError):
    """A model can't be reached, or its answers can't be used."""

    exit_code = 9
