"""Keys kept out of what is written down."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

HIDDEN = "[key]"
NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
LENGTH_MIN = 8
LOOKS_LIKE_KEY = re.compile(r"\b(?:sk|pk|ghp|gho|xox[abp])[-_][A-Za-z0-9_*-]{8,}|\bBearer\s+\S{8,}")


def hide_keys(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` without the values of variables whose name says that they are secret, and without what
    looks like a provider's key."""
    values = {environment[name] for name in environment if NAMES.search(name)}
    for value in sorted((v for v in values if len(v) >= LENGTH_MIN), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return LOOKS_LIKE_KEY.sub(HIDDEN, text)
