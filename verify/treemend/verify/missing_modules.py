"""Why a suite does not import: the module that is missing, what likely brings it, the line to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from treemend.verify.interpreter import Interpreter

_MISSING = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([A-Za-z_][\w.]*)")

DISTRIBUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "Crypto": "pycryptodome",
        "Levenshtein": "python-Levenshtein",
        "MySQLdb": "mysqlclient",
        "OpenSSL": "pyOpenSSL",
        "PIL": "Pillow",
        "Xlib": "python-xlib",
        "attr": "attrs",
        "bs4": "beautifulsoup4",
        "cv2": "opencv-python-headless",
        "dateutil": "python-dateutil",
        "discord": "discord.py",
        "distutils": "setuptools",
        "docx": "python-docx",
        "dotenv": "python-dotenv",
        "environ": "django-environ",
        "fitz": "PyMuPDF",
        "gi": "PyGObject",
        "git": "GitPython",
        "github": "PyGithub",
        "google.protobuf": "protobuf",
        "jose": "python-jose",
        "jwt": "PyJWT",
        "kafka": "kafka-python",
        "ldap": "python-ldap",
        "magic": "python-magic",
        "mpl_toolkits": "matplotlib",
        "multipart": "python-multipart",
        "nacl": "PyNaCl",
        "pkg_resources": "setuptools",
        "pptx": "python-pptx",
        "psycopg2": "psycopg2-binary",
        "pytest_mock": "pytest-mock",
        "rest_framework": "djangorestframework",
        "ruamel": "ruamel.yaml",
        "serial": "pyserial",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "slugify": "python-slugify",
        "socks": "PySocks",
        "telegram": "python-telegram-bot",
        "usb": "pyusb",
        "websocket": "websocket-client",
        "win32api": "pywin32",
        "yaml": "PyYAML",
        "zmq": "pyzmq",
    }
)
"""Distributions whose name differs from that of the module that they install."""


@dataclass(frozen=True, slots=True)
class MissingModule:
    """What could not be imported, why, and the line to type."""

    module: str
    explanation: str
    line: str

    def __str__(self) -> str:
        return f"{self.explanation}: type `{self.line}`"


def missing_module(texts: Iterable[str], interpreter: Interpreter, repo: Path) -> MissingModule | None:
    """Explain the first missing module that error messages name; None where they name none."""
    for text in texts:
        match = _MISSING.search(text)
        if match:
            return _explained(match[1].rstrip("."), interpreter, repo)
    return None


def _explained(module: str, interpreter: Interpreter, repo: Path) -> MissingModule:
    python = shlex.quote(str(interpreter.path))
    top = module.partition(".")[0]
    place = next((place for place in (".", "src", "lib") if _lies_in(repo / place, top)), None)
    if place is not None:
        found = f"{place}/{top}".removeprefix("./")
        explanation = f"{module} is the repository's own (at {found}), and {interpreter.path} can't import it"
        return MissingModule(
            module, explanation, f"{python} -m pip install --editable {shlex.quote(str(repo))}"
        )
    distribution = distribution_of(module)
    explanation = f"{interpreter.path} has no module {top}, which likely comes with {distribution}"
    return MissingModule(module, explanation, f"{python} -m pip install {distribution}")


def distribution_of(module: str) -> str:
    """The distribution that likely installs a module: by name, where nothing else is known."""
    top = module.partition(".")[0]
    return DISTRIBUTIONS.get(module) or DISTRIBUTIONS.get(top) or top.replace("_", "-")


def _lies_in(folder: Path, module: str) -> bool:
    return (folder / f"{module}.py").is_file() or (folder / module).is_dir()
