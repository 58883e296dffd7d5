"""Why a call to a model failed, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of failure."""

    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CUT = "cut short"
    UNUSABLE = "unusable answer"
    TOO_LARGE = "answer too large"
    QUOTA = "quota exhausted"
    KEY = "key refused"
    CONTEXT = "context overflow"
    REDIRECT = "redirect refused"
    REQUEST = "request refused"


RETRIED = frozenset(
    {Kind.RATE_LIMITED, Kind.UNAVAILABLE, Kind.UNREACHABLE, Kind.TIMEOUT, Kind.CUT, Kind.UNUSABLE}
)
"""Those that another try may mend."""

MAYBE_CHARGED = frozenset({Kind.TIMEOUT, Kind.CUT, Kind.UNUSABLE, Kind.TOO_LARGE})
"""Those after which the provider may have done the work and charge for it."""

MENDS = {
    Kind.RATE_LIMITED: "Wait a while, then go on with `treemend resume`; or name another with --model.",
    Kind.UNAVAILABLE: "Go on later with `treemend resume`, or name a second model to fall back on.",
    Kind.UNREACHABLE: "Check the network and --api-base, then go on with `treemend resume`.",
    Kind.TIMEOUT: "Go on later with `treemend resume`, or name a second model to fall back on.",
    Kind.CUT: "Go on later with `treemend resume`, or name a second model to fall back on.",
    Kind.UNUSABLE: "Check that --api-base is the address of an API, mostly one that ends in /v1.",
    Kind.TOO_LARGE: "Name another model with --model.",
    Kind.QUOTA: "Add to the account's balance, then go on with `treemend resume`.",
    Kind.KEY: "Set the provider's key in the environment (docs/models.md), then `treemend resume`.",
    Kind.CONTEXT: "Name a model with a longer context with --model.",
    Kind.REDIRECT: "Give --api-base the address that answers itself; no key is sent elsewhere.",
    Kind.REQUEST: "Check the name of the model and --api-base.",
}


@dataclass(eq=False)
class CallFailed(Exception):
    """One try of a call failed. `retry_after_s` is what the provider asked to wait, None where it said
    nothing."""

    kind: Kind
    message: str
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.message}"
