"""The index is brought up to date by what changed, and survives what it finds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from treemend.store.errors import StoreError, UsageError
from treemend.tools.index.repository import RepositoryIndex
from treemend.tools.index.schema import copy_cache
from treemend.tools.index.workers import Pool

LONG_AGO_NS = 1_600_000_000_123_456_789


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    return root


@pytest.fixture
def index(tree: Path, tmp_path: Path) -> Iterator[RepositoryIndex]:
    with RepositoryIndex(tree, tmp_path / "state/index.sqlite3", workers=1) as opened:
        yield opened


def write(root: Path, name: str, text: str | bytes, *, aged: bool = True) -> None:
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    if aged:
        os.utime(place, ns=(LONG_AGO_NS, LONG_AGO_NS))


def names(index: RepositoryIndex) -> list[tuple[str, str]]:
    rows = index.connection.execute(
        "SELECT path, qualified FROM definition JOIN file ON file.id = file "
        "WHERE kind != 'module' ORDER BY 1, position"
    )
    return list(rows)


def everything(index: RepositoryIndex) -> list[list[tuple[object, ...]]]:
    """All that can be asked, without ids and stamps."""
    statements = (
        "SELECT path, language, digest, status, package, names, occurrences, imports FROM file ORDER BY path",
        "SELECT path, d.position, d.name, d.qualified, d.signature, d.doc, d.line FROM definition d "
        "JOIN file ON file.id = d.file ORDER BY 1, 2",
        "SELECT f.path, d.position, unit.* FROM unit JOIN definition d ON d.id = unit.rowid "
        "JOIN file f ON f.id = d.file ORDER BY 1, 2",
        "SELECT term, doc, cnt FROM word_count ORDER BY 1",
        "SELECT f.path, base.name FROM base JOIN file f ON f.id = base.file ORDER BY 1, 2",
    )
    return [index.connection.execute(statement).fetchall() for statement in statements]


def test_a_second_run_reads_nothing(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    write(tree, "b/c.go", "package c\nfunc G() {}\n")
    first, second = index.refresh(), index.refresh()
    assert (first.files, first.read, first.parsed) == (2, 2, 2)
    assert (second.files, second.read, second.parsed) == (2, 0, 0)
    assert names(index) == [("a.py", "f"), ("b/c.go", "G")]


def test_an_edit_parses_the_changed_file_only(index: RepositoryIndex, tree: Path) -> None:
    for name in ("a.py", "b.py", "c.py"):
        write(tree, name, f"class {name[0].upper()}(Base): pass\n")
    index.refresh()
    write(tree, "b.py", "def other(): pass\n")
    (tree / "c.py").unlink()
    done = index.refresh()
    assert (done.read, done.parsed, done.removed) == (1, 1, 1)
    assert names(index) == [("a.py", "A"), ("b.py", "other")]


def test_an_updated_index_is_a_new_one(index: RepositoryIndex, tree: Path, tmp_path: Path) -> None:
    write(tree, "a.py", "class A(B):\n    def m(self): return get_item(1)\n")
    write(tree, "b.py", "class B: pass\n")
    write(tree, "gone.py", "def gone(): pass\n")
    index.refresh()
    write(tree, "a.py", "class A(C, B):\n    def n(self): return 1\n")
    write(tree, "copy.py", "class B: pass\n")
    (tree / "gone.py").unlink()
    index.refresh()
    with RepositoryIndex(tree, tmp_path / "other.sqlite3", workers=2) as new:
        new.refresh()
        assert everything(new) == everything(index)


def test_a_copy_or_a_renamed_file_is_not_parsed(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    index.refresh()
    write(tree, "b.py", "def f(): pass\n")
    assert index.refresh().parsed == 0
    assert names(index) == [("a.py", "f"), ("b.py", "f")]


def test_files_that_change_places_keep_their_facts(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "a.py", "def first(): pass\n")
    write(tree, "b.py", "def second(): pass\n\n")
    write(tree, "c.py", "def third(): pass\n\n\n")
    index.refresh()
    write(tree, "a.py", "def second(): pass\n\n", aged=False)
    write(tree, "b.py", "def first(): pass\n", aged=False)
    (tree / "c.py").rename(tree / "d.py")
    index.refresh()
    assert names(index) == [("a.py", "second"), ("b.py", "first"), ("d.py", "third")]


def test_a_touched_file_is_read_but_not_parsed(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    index.refresh()
    os.utime(tree / "a.py", ns=(LONG_AGO_NS + 5, LONG_AGO_NS + 5))
    assert [(done.read, done.parsed) for done in (index.refresh(), index.refresh())] == [(1, 0), (0, 0)]


def test_a_file_written_in_the_same_tick_is_read_again(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    now_ns = time.time_ns() + 3_600_000_000_000
    os.utime(tree / "a.py", ns=(now_ns, now_ns))
    index.refresh()
    done = index.refresh()
    assert (done.read, done.parsed) == (1, 0)


def test_a_damaged_cache_is_made_anew(tree: Path, tmp_path: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    place = tmp_path / "index.sqlite3"
    for damage in (b"no database at all" * 100, b""):
        place.write_bytes(damage)
        with RepositoryIndex(tree, place, workers=1) as index:
            index.refresh()
            assert names(index) == [("a.py", "f")]


def test_a_cache_of_another_format_is_made_anew(tree: Path, tmp_path: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    place = tmp_path / "index.sqlite3"
    with RepositoryIndex(tree, place, workers=1) as index:
        index.refresh()
        index.connection.execute("UPDATE meta SET value = 'older'")
    with RepositoryIndex(tree, place, workers=1) as index:
        assert index.refresh().parsed == 1


def test_a_cache_that_can_not_be_written_says_so(tree: Path) -> None:
    with pytest.raises(StoreError, match="can't be used"):
        RepositoryIndex(tree, Path("/proc/nowhere/index.sqlite3"))


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        RepositoryIndex(tmp_path / "missing", tmp_path / "index.sqlite3")


def test_H01_to_H15_hostile_files_are_survived_and_named(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "good.py", "def good(): pass\n")
    write(tree, "latin.py", b"def latin(): return '\xe9'\n")
    write(tree, "nul.py", b"x = 1\0\n")
    write(tree, "lfs.js", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    write(tree, "min.js", "a=1;" * 20_000)
    write(tree, "deep.py", "x = " + "(\n" * 10_000 + ")\n" * 10_000 + "\n")
    write(tree, "broken.java", "class { void ((( \n")
    write(tree, "empty.rb", "")
    with (tree / "line.c").open("wb") as file:
        file.truncate(100_000_000)
    os.utime(tree / "line.c", ns=(LONG_AGO_NS, LONG_AGO_NS))
    index.refresh()
    statuses = dict(index.connection.execute("SELECT path, status FROM file"))
    assert statuses == {
        "good.py": "indexed",
        "latin.py": "indexed",
        "nul.py": "binary",
        "lfs.js": "a Git LFS pointer",
        "min.js": "minified",
        "deep.py": "indexed",
        "broken.java": "indexed",
        "empty.rb": "indexed",
        "line.c": "larger than 1 MB",
    }
    assert index.refresh().read == 0


HOSTILE_WORKER = """
import os, signal, time
from treemend.tools.index import extraction, worker

extract = extraction.extract_facts

def breaking(language, data):
    if b"hang" in data:
        while True:
            time.sleep(1)
    if b"crash" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"raise" in data:
        raise ValueError("a tree that nobody expects")
    return extract(language, data)

extraction.extract_facts = breaking
main = worker.main
"""


def test_H28_what_hangs_or_breaks_the_parser_costs_that_file_only(
    index: RepositoryIndex, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile_worker.py").write_text(HOSTILE_WORKER)
    monkeypatch.syspath_prepend(str(tmp_path))
    index.pool = Pool(1, task_s_max=1.0, module="hostile_worker")
    for name in ("a", "crash", "b", "hang", "c", "raise", "d"):
        write(tree, f"{name}.py", f"def {name}(): pass\n")
    index.refresh()
    statuses = dict(index.connection.execute("SELECT path, status FROM file WHERE status != 'indexed'"))
    assert statuses == {
        "crash.py": "broke the parser",
        "hang.py": "took the parser too long",
        "raise.py": "broke the parser",
    }
    assert [path for path, _ in names(index)] == ["a.py", "b.py", "c.py", "d.py"]
    write(tree, "crash.py", "def mended(): pass\n")
    index.refresh()
    assert ("crash.py", "mended") in names(index)


def test_workers_that_can_not_start_end_the_refresh(index: RepositoryIndex, tree: Path) -> None:
    index.pool = Pool(1, module="treemend.no_such_module")
    write(tree, "a.py", "x = 1\n")
    with pytest.raises(StoreError, match="ends right after its start"):
        index.refresh()
    assert names(index) == []


def test_two_processes_share_the_cache(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    index.refresh()
    with RepositoryIndex(tree, index.cache_path, workers=1) as other:
        assert other.refresh().parsed == 0
        write(tree, "a.py", "def g(): pass\n")
        assert other.refresh().parsed == 1
    assert index.refresh().parsed == 0
    assert names(index) == [("a.py", "g")]


def test_a_file_that_becomes_unreadable_loses_its_facts(index: RepositoryIndex, tree: Path) -> None:
    write(tree, "a.py", "def f(): pass\n")
    index.refresh()
    write(tree, "a.py", "x = 1\0")
    index.refresh()
    assert names(index) == []
    write(tree, "a.py", "def f(): pass\n")
    index.refresh()
    assert names(index) == [("a.py", "f")]


def test_a_copied_cache_spares_parsing_what_a_copied_tree_holds(
    tree: Path, tmp_path: Path, index: RepositoryIndex
) -> None:
    write(tree, "a.py", "def f(): pass\n")
    index.refresh()
    write(tmp_path / "copy", "a.py", "def f(): pass\n")
    write(tmp_path / "copy", "b.py", "def g(): pass\n")
    copy_cache(index.cache_path, tmp_path / "copy.sqlite3")
    with RepositoryIndex(tmp_path / "copy", tmp_path / "copy.sqlite3", workers=1) as other:
        refreshed = other.refresh()
        assert (refreshed.read, refreshed.parsed) == (2, 1)
        assert [name for _, name in names(other)] == ["f", "g"]


@pytest.mark.parametrize("content", [None, b"this is no database, " * 300])
def test_a_cache_that_can_not_be_copied_is_done_without(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    copy_cache(tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "b").exists()
