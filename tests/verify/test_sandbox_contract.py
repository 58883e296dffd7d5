"""What every sandbox does for a command, whatever the mechanism."""

from __future__ import annotations

import asyncio
import json
import os
import py_compile
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from treemend.store.errors import UsageError
from treemend.verify.sandbox import Command, Limits

if TYPE_CHECKING:
    from tests.verify.conftest import Confined

pytestmark = pytest.mark.sandbox


def files_of(folder: Path) -> dict[str, bytes | str]:
    """Content by path, the target for a link."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("code", [0, 1, 5, 125, 127, 255])
async def test_exit_code(runner: Confined, code: int) -> None:
    result = await runner.run(runner.python(f"import sys; sys.exit({code})"))
    assert (result.exit_code, result.ended_by) == (code, "exit")


@pytest.mark.parametrize("number", [6, 9, 11, 15])
async def test_death_by_signal(runner: Confined, number: int) -> None:
    result = await runner.run(runner.python(f"import os; os.kill(os.getpid(), {number})"))
    assert (result.exit_code, result.ended_by) == (-number, "signal")


async def test_missing_program_is_a_result(runner: Confined) -> None:
    result = await runner.run(replace(runner.command, argv=("no-such-program",)))
    assert (result.exit_code, result.ended_by) == (127, "exit")
    assert b"no-such-program" in result.stderr


async def test_program_found_on_the_path_of_its_environment(runner: Confined, tree: Path) -> None:
    (tree / "bin").mkdir()
    tool = tree / "bin" / "tool=x"
    tool.write_text("#!/bin/sh\necho found $#\n")
    tool.chmod(0o755)
    at = runner.command.at if runner.sandbox.places_tree else Path(".")
    environment = {"PATH": f"{at / 'bin'}:/usr/bin:/bin"}
    result = await runner.run(replace(runner.command, argv=("tool=x", "a b"), env=environment))
    assert (result.stdout, result.exit_code) == (b"found 1\n", 0)


async def test_limits_are_those_of_the_command_and_no_core_is_written(runner: Confined) -> None:
    """Also none by a program that the kernel would start outside: that takes a limit of one byte."""
    source = """
        import resource
        for name in ("CORE", "NOFILE", "CPU", "FSIZE", "DATA"):
            print(*resource.getrlimit(getattr(resource, "RLIMIT_" + name)), end=" ")
    """
    limits = Limits(cpu_s=77, file_bytes=88 << 20, memory_bytes=199 << 20)
    result = await runner.run(replace(runner.python(source), limits=limits))
    wanted = (1, 1024, 77, 88 << 20, 199 << 20)
    assert result.stdout.split() == [b"%d" % value for value in wanted for _ in range(2)]


async def test_what_programs_look_up_is_as_on_the_host(runner: Confined) -> None:
    """Names of services and accounts, kinds of files, libraries, and programs by way of alternatives."""
    source = """
        import grp, os, pwd, subprocess, sys
        missing = [path for path in sys.argv[1:] if not os.access(path, os.R_OK)]
        # As ctypes.util.find_library asks it.
        libraries = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
        print(missing, "libc.so.6" in libraries, pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name)
    """
    names = ("group", "hosts", "mime.types", "nsswitch.conf", "passwd", "protocols", "services")
    etc = [f"/etc/{name}" for name in names]
    alternatives = [str(p) for p in Path("/usr/bin").iterdir() if p.is_symlink()]
    alternatives = [path for path in alternatives if os.readlink(path).startswith("/etc/alternatives/")]
    here = [path for path in (*etc, *sorted(alternatives)[:3]) if os.path.exists(path)]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    result = await runner.run(replace(runner.python(source, *here), env=environment))
    assert result.stdout == b"[] True root root\n", result.stderr


async def test_streams(runner: Confined) -> None:
    source = """
        import sys
        data = sys.stdin.buffer.read()
        sys.stdout.buffer.write(data[::-1])
        sys.stderr.write(str(len(data)))
    """
    data = bytes(range(256)) * 2000
    result = await runner.run(replace(runner.python(source), stdin=data))
    assert result.stdout == data[::-1]
    assert result.stderr == str(len(data)).encode()


async def test_stdin_that_nobody_reads(runner: Confined) -> None:
    result = await runner.run(replace(runner.python("print('done')"), stdin=bytes(1 << 20)))
    assert (result.stdout, result.exit_code) == (b"done\n", 0)


async def test_no_stdin_is_an_empty_one(runner: Confined) -> None:
    result = await runner.run(runner.python("print(repr(__import__('sys').stdin.read()))"))
    assert result.stdout == b"''\n"


async def test_environment_is_the_given_one(runner: Confined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_THE_RUNNER", "leaked")
    given = {"A": "1", "ÜNÏ": "zwei drei\n$HOME", "EMPTY": "", "-x": "-y", "PATH": "/usr/bin:/bin"}
    printing = "import json, os; print(json.dumps(dict(os.environ)))"
    # The interpreter itself adds LC_CTYPE under a C locale.
    result = await runner.run(replace(runner.python(printing), env={**given, "LC_ALL": "C.UTF-8"}))
    seen = json.loads(result.stdout)
    for name in ("HOME", "TMPDIR", "TREEMEND_REPORT_FD"):
        assert seen.pop(name)
    assert (seen.pop("TREEMEND_TREE", None) is None) == runner.sandbox.places_tree
    assert seen == {**given, "LC_ALL": "C.UTF-8"}


async def test_home_and_temp_folder_are_writable(runner: Confined) -> None:
    source = """
        import os, tempfile
        for name in ("HOME", "TMPDIR"):
            with open(os.path.join(os.environ[name], "file"), "w") as file:
                file.write("x")
        print(tempfile.mkdtemp().startswith(os.environ["TMPDIR"]))
    """
    result = await runner.run(runner.python(source))
    assert (result.stdout, result.stderr) == (b"True\n", b"")


async def test_copy_is_the_working_directory(runner: Confined) -> None:
    source = "import os; print(os.getcwd()); print(open('pkg/module.py').read(), end='')"
    result = await runner.run(replace(runner.python(source), env={"LC_ALL": "C.UTF-8"}))
    folder, text = result.stdout.decode().splitlines()
    assert text == "value = 1"
    if runner.sandbox.places_tree:
        assert folder == str(runner.command.at)


@pytest.mark.parametrize(
    "at", ["/tmp/a b/repo", "/root/repo", "/home/repo", "/opt/x/y", "/var/lib/ö/$(id) 'q\"/r"]
)
async def test_copy_appears_where_it_should(placing: Confined, at: str) -> None:
    source = "import os; print(os.path.realpath(os.getcwd())); open('new', 'w').close()"
    moved = replace(placing.python(source), at=Path(at), env={"LC_ALL": "C.UTF-8"})
    result = await placing.run(moved)
    assert (result.stdout.decode(), result.stderr) == (f"{at}\n", b"")


async def test_copy_appears_in_the_read_only_system(placing: Confined) -> None:
    """A repository below /usr, which is itself bound read-only."""
    command = replace(placing.python("open('new', 'w').close()"), at=Path("/usr/local/share"))
    assert (await placing.run(command)).exit_code == 0
    with pytest.raises(UsageError, match="/usr/no/such/folder"):
        await placing.run(replace(command, at=Path("/usr/no/such/folder")))


@pytest.mark.parametrize("at", ["/", "/usr", "/proc/x", "/dev", "relative"])
async def test_copy_may_not_cover_the_system(placing: Confined, at: str) -> None:
    with pytest.raises(UsageError):
        await placing.run(replace(placing.python(""), at=Path(at)))


async def test_host_tree_stays_as_it_is(runner: Confined, tree: Path) -> None:
    (tree / "locked").write_text("x")
    (tree / "locked").chmod(0o400)
    before = files_of(tree)
    source = """
        import os, shutil
        open("pkg/module.py", "w").write("value = 2")
        open("new", "w").close()
        os.remove("locked")
        os.rename("pkg", "moved")
        shutil.rmtree("moved")
        print(sorted(os.listdir(".")))
    """
    result = await runner.run(runner.python(source))
    assert (result.stdout, result.stderr) == (b"['new']\n", b"")
    assert files_of(tree) == before


async def test_files_move_between_folders_of_the_copy(runner: Confined) -> None:
    source = """
        import os
        os.mkdir("other")
        os.rename("pkg/module.py", "other/module.py")
        os.link("other/module.py", "pkg/again.py")
        print(open("pkg/again.py").read(), end="")
    """
    result = await runner.run(runner.python(source))
    if any("can't be moved between folders" in line for line in runner.sandbox.not_covered):
        assert b"OSError" in result.stderr
    else:
        assert result.stdout == b"value = 1\n", result.stderr


async def test_copy_is_fresh_each_time(runner: Confined) -> None:
    source = "import os; print(os.path.exists('new')); open('new', 'w').close()"
    for _ in range(2):
        assert (await runner.run(runner.python(source))).stdout == b"False\n"


async def test_copy_keeps_links_modes_and_times(runner: Confined, tree: Path) -> None:
    script = tree / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o750)
    os.utime(script, (1_000_000_000, 1_000_000_000))
    (tree / "inner").symlink_to("pkg/module.py")
    (tree / "outer").symlink_to("/nowhere/at all")
    (tree / "loop").symlink_to("loop")
    source = """
        import os
        status = os.stat("script")
        print(oct(status.st_mode), int(status.st_mtime), status.st_uid == os.getuid())
        print([os.readlink(name) for name in ("inner", "outer", "loop")], open("inner").read())
    """
    result = await runner.run(runner.python(source))
    assert result.stdout.decode().splitlines() == [
        f"{oct(stat.S_IFREG | 0o750)} 1000000000 True",
        "['pkg/module.py', '/nowhere/at all', 'loop'] value = 1",
        "",
    ]


async def test_files_that_only_their_owner_may_read_are_copied(runner: Confined, tree: Path) -> None:
    (tree / "pkg").chmod(0o700)
    (tree / "pkg" / "module.py").chmod(0o600)
    result = await runner.run(runner.python("print(open('pkg/module.py').read())"))
    assert result.stdout == b"value = 1\n\n"


async def test_overlay(runner: Confined, tree: Path) -> None:
    (tree / "pkg" / "module.py").chmod(0o755)
    (tree / "link").symlink_to("pkg/module.py")
    before = files_of(tree)
    overlay = {
        "pkg/module.py": b"value = 2\n",
        "link": b"a file now",
        "new folder/ünï/x.py": b"\0\xff",
    }
    source = """
        import os
        print(open("pkg/module.py").read(), oct(os.stat("pkg/module.py").st_mode & 0o777))
        print(os.path.islink("link"), open("link").read())
        print(open("new folder/\u00fcn\u00ef/x.py", "rb").read(), sorted(os.listdir("pkg")))
        for path in overlay: open(path, "ab").close()
    """.replace("overlay", repr(tuple(overlay)))
    result = await runner.run(replace(runner.python(source), overlay=overlay))
    assert result.stderr == b""
    assert result.stdout.decode().splitlines() == [
        "value = 2",
        " 0o755",
        "False a file now",
        "b'\\x00\\xff' ['module.py']",
    ]
    assert files_of(tree) == before


async def test_overlay_is_never_hidden_by_old_bytecode(runner: Confined, tree: Path) -> None:
    """Bytecode is matched by time in seconds and by size: a swapped operator keeps both."""
    source = "import sys; sys.path.insert(0, '.'); import pkg.module as m; print(m.value)"
    py_compile.compile(str(tree / "pkg" / "module.py"))
    overlay = {"pkg/module.py": b"value = 7\n"}
    result = await runner.run(replace(runner.python(source), overlay=overlay))
    assert result.stdout == b"7\n", result.stderr


@pytest.mark.parametrize("name", ["/etc/x", "../x", "pkg/../../x", "", ".", "pkg/", "through/x"])
async def test_overlay_outside_of_the_tree_is_refused(runner: Confined, tree: Path, name: str) -> None:
    (tree / "through").symlink_to("/tmp")
    with pytest.raises(UsageError):
        await runner.run(replace(runner.python(""), overlay={name: b""}))


async def test_readable_paths(runner: Confined, tree: Path, open_folder: Path) -> None:
    library = open_folder / "a library"
    (library / "deep").mkdir(parents=True)
    (library / "deep" / "file").write_text("text")
    alone = open_folder / "alone.txt"
    alone.write_text("alone")
    readable = (library / "deep", library, alone, open_folder / "missing", Path("/usr/bin"))
    source = """
        import os, sys
        library, alone = sys.argv[1:]
        print(open(library + "/deep/file").read(), open(alone).read(), os.listdir(library))
    """
    command = runner.python(source, str(library), str(alone))
    result = await runner.run(replace(command, readable=(*command.readable, *readable)))
    assert (result.stdout, result.stderr) == (b"text alone ['deep']\n", b"")


async def test_readable_paths_inside_the_copy(placing: Confined, tree: Path, command: Command) -> None:
    """Virtual environments lie in repositories: the host's is seen, at its path, and not copied."""
    for name in ("own venv", "sub/.venv"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text("host")
    (tree / "sub" / "beside").write_text("copied")
    (tree / ".hidden").write_text("copied")
    readable = (tree / "own venv", tree / "sub" / ".venv")
    source = """
        import os
        for path in ("own venv/file", "sub/.venv/file", "sub/beside", ".hidden", "pkg/module.py"):
            print(open(path).read().strip(), end=" ")
            try: open(path, "a").close()
            except OSError: print("kept")
            else: print("changed")
        open("sub/new", "w").close()
        print(sorted(os.listdir(".")))
    """
    result = await placing.run(
        replace(placing.python(source), at=tree, readable=(*command.readable, *readable))
    )
    assert result.stderr == b""
    assert result.stdout.decode().splitlines() == [
        *("host kept", "host kept", "copied changed", "copied changed", "value = 1 changed"),
        "['.hidden', 'own venv', 'pkg', 'sub']",
    ]


async def test_readable_path_above_the_copy(placing: Confined, tree: Path) -> None:
    tree.parent.chmod(0o755)
    (tree.parent / "beside").write_text("host")
    source = """
        open("../beside").read(), open("pkg/module.py", "a").close()
        try: open("../new", "w")
        except OSError: print("read-only")
    """
    readable = (*placing.command.readable, tree.parent)
    result = await placing.run(replace(placing.python(source), at=tree, readable=readable))
    assert (result.stdout, result.stderr) == (b"read-only\n", b"")


async def test_report_pipe(runner: Confined) -> None:
    chunks: list[bytes] = []
    source = """
        import os
        fd = int(os.environ["TREEMEND_REPORT_FD"])
        for number in range(2000):
            os.write(fd, b"%d\\n" % number)
        print("done")
    """
    result = await runner.run(replace(runner.python(source), on_report=chunks.append))
    assert b"".join(chunks) == b"".join(b"%d\n" % number for number in range(2000))
    assert result.stdout == b"done\n"


async def test_report_over_its_limit_ends_the_run(runner: Confined) -> None:
    chunks: list[bytes] = []
    source = "import os\nwhile True: os.write(int(os.environ['TREEMEND_REPORT_FD']), bytes(5000))"
    limits = Limits(report_bytes=100_000)
    result = await runner.run(replace(runner.python(source), on_report=chunks.append, limits=limits))
    assert result.ended_by == "output"
    assert b"".join(chunks) == bytes(100_000)


async def test_report_handler_that_raises_ends_the_run(runner: Confined) -> None:
    def refuse(data: bytes) -> None:
        raise ValueError("no such report")

    source = "import os\nwhile True: os.write(int(os.environ['TREEMEND_REPORT_FD']), b'x')"
    with pytest.raises(ValueError, match="no such report"):
        await runner.run(replace(runner.python(source), on_report=refuse))


async def test_deadline_from_the_report_ends_the_run(runner: Confined) -> None:
    source = "import os, time; os.write(int(os.environ['TREEMEND_REPORT_FD']), b'x'); time.sleep(60)"
    result = await runner.run(replace(runner.python(source), on_report=lambda _: 0.05))
    assert (result.exit_code, result.ended_by) == (-9, "deadline")


async def test_deadline_is_armed_anew_by_each_report(runner: Confined) -> None:
    """The first deadline alone would end the run before the reader answers."""
    source = """
        import os
        fd = int(os.environ["TREEMEND_REPORT_FD"])
        for _ in range(200):
            os.write(fd, b"x")
            for _ in range(20_000): pass
    """
    seconds = iter([30.0] * 1000)
    result = await runner.run(replace(runner.python(source), on_report=lambda _: next(seconds)))
    assert result.ended_by == "exit"


async def test_wall_limit(runner: Confined) -> None:
    command = replace(runner.python("while True: pass"), limits=Limits(wall_s=0.2))
    result = await runner.run(command)
    assert (result.exit_code, result.ended_by) == (-9, "time")
    assert result.wall_s >= 0.2


async def test_cpu_limit(runner: Confined) -> None:
    command = replace(runner.python("while True: pass"), limits=Limits(cpu_s=1.0, wall_s=60.0))
    assert (await runner.run(command)).ended_by == "signal"


async def test_file_limit(runner: Confined) -> None:
    source = "open('big', 'wb').write(bytes(3 << 20))"
    command = replace(runner.python(source), limits=Limits(file_bytes=1 << 20))
    result = await runner.run(command)
    assert b"File too large" in result.stderr or result.ended_by == "signal"


async def test_other_processes_of_the_user_take_none_of_the_limit(runner: Confined) -> None:
    others = [subprocess.Popen(["sleep", "1000"]) for _ in range(40)]
    try:
        source = "import subprocess; print(subprocess.run(['true']).returncode)"
        result = await runner.run(replace(runner.python(source), limits=Limits(processes=30)))
        assert (result.stdout, result.stderr) == (b"0\n", b"")
    finally:
        for process in others:
            process.kill()
            process.wait()


async def test_cancelling_kills_first(runner: Confined, processes_with: Callable[[str], list[int]]) -> None:
    marker = f"marker-{os.urandom(8).hex()}"
    started = asyncio.Event()
    source = """
        import os, time
        os.write(int(os.environ["TREEMEND_REPORT_FD"]), b"x")
        time.sleep(1000)
    """
    command = replace(runner.python(source, marker), on_report=lambda _: started.set())
    task = asyncio.create_task(runner.run(command))
    await asyncio.wait_for(started.wait(), 30)
    assert processes_with(marker)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_with(marker) == []


async def test_several_at_once(runner: Confined) -> None:
    source = "import sys; print(sys.argv[1]); open('mine', 'x').write(sys.argv[1])"
    commands = [runner.python(source, str(number)) for number in range(6)]
    results = await asyncio.gather(*map(runner.run, commands))
    assert [result.stdout for result in results] == [b"%d\n" % number for number in range(6)]


async def test_nothing_stays_behind(runner: Confined, leftovers: Callable[[], list[str]]) -> None:
    before = leftovers()
    source = """
        import os
        for number in range(1200):
            os.mkdir("deep"); os.chdir("deep")
        os.chmod("..", 0)
    """
    command = replace(runner.python(source), overlay={"x": b""})
    assert (await runner.run(command)).stderr == b""
    assert leftovers() == before


async def test_what_is_not_covered_is_said_in_sentences(runner: Confined) -> None:
    assert runner.sandbox.name in ("bubblewrap", "landlock", "none")
    assert all(line.endswith(".") for line in runner.sandbox.not_covered)
    if runner.sandbox.name == "none":
        assert "Nothing is confined" in runner.sandbox.not_covered[0]
