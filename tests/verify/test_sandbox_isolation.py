"""Secrets, network and host files: what a command in a sandbox can't reach.

The numbers are the cases of the threat model. Every attack says that it ran, and what would be won
is judged from outside of the sandbox where it can be. `control` runs it unconfined, harmlessly:
where it loses there too, nothing is proved.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.verify.conftest import Attack, Confined

pytestmark = pytest.mark.sandbox


def says(confined: Confined, words: str) -> bool:
    """Whether the mechanism admits a gap with these words."""
    return any(words in line for line in confined.sandbox.not_covered)


@contextmanager
def killed(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with process:
        try:
            yield process
        finally:
            process.kill()


# -- secrets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".ssh/id_rsa", "state/treemend.db"])
async def test_E01_E02_secrets_of_the_user_are_not_readable(
    attack: Attack, control: Attack, open_folder: Path, name: str
) -> None:
    secret = open_folder / name
    secret.parent.mkdir()
    secret.write_text("canary")
    secret.chmod(0o644)
    body = "return open(sys.argv[1]).read()"
    assert "canary" in (await control(body, str(secret))).said
    assert "canary" not in (await attack(body, str(secret))).said


async def test_E03_environment_of_the_runner_is_not_inherited(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-in-the-runner")
    assert "canary" not in (await attack("return dict(os.environ)")).said


async def test_E04_environment_of_other_processes(
    attack: Attack, control: Attack, victim: tuple[int, str]
) -> None:
    _, secret = victim
    body = """
        found = []
        for name in os.listdir("/proc"):
            try: found.append(open(f"/proc/{name}/environ").read())
            except OSError: pass
        return found
    """
    assert secret in (await control(body)).said
    assert secret not in (await attack(body)).said


async def test_E04_environment_of_a_process_named_by_its_id(
    attack: Attack, control: Attack, victim: tuple[int, str]
) -> None:
    pid, secret = victim
    body = "return open(f'/proc/{sys.argv[1]}/environ').read()"
    assert secret in (await control(body, str(pid))).said
    assert secret not in (await attack(body, str(pid))).said


async def test_E04_command_lines_of_other_processes(attack: Attack, control: Attack) -> None:
    body = """
        lines = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try: lines.append(open(f"/proc/{name}/cmdline").read())
            except OSError: pass
        return lines
    """
    with killed(subprocess.Popen(["sleep", "1000.0123"])):
        assert "1000.0123" in (await control(body)).said
        assert "1000.0123" not in (await attack(body)).said


async def test_E05_command_line_of_the_launcher(attack: Attack) -> None:
    assert "/bin/sh" not in (await attack("return open('/proc/1/cmdline').read()")).said


async def test_E05_environment_of_the_launcher(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What starts the command has an empty environment of its own; a naive runner hands on all of it."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-in-the-runner")
    naive = subprocess.run(["cat", "/proc/self/environ"], stdout=subprocess.PIPE, check=True)
    assert b"canary-in-the-runner" in naive.stdout
    for path in ("/proc/1/environ", f"/proc/{os.getpid()}/environ", "/proc/self/environ"):
        assert "canary" not in (await attack("return open(sys.argv[1], 'rb').read()", path)).said
    outcome = await attack("return open('/proc/1/environ', 'rb').read()")
    assert not outcome.won or outcome.said.endswith("won b''\n")


async def test_E06_memory_of_other_processes(
    attack: Attack, control: Attack, victim: tuple[int, str]
) -> None:
    pid, _ = victim
    body = "open(f'/proc/{sys.argv[1]}/mem', 'rb').close()"
    assert not (await attack(body, str(pid))).won
    assert not (await attack("open('/proc/1/mem', 'r+b').close()")).won
    if os.geteuid() == 0:
        assert (await control(body, str(pid))).won


async def test_E08_inherited_descriptors(attack: Attack, open_folder: Path) -> None:
    body = """
        held = []
        for fd in range(1024):
            try: os.fstat(fd)
            except OSError: continue
            held.append(fd)
        return set(held) - {0, 1, 2, int(os.environ.get("TREEMEND_REPORT_FD", "0"))}
    """
    secret = os.open(open_folder, os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        naive = subprocess.run(
            [sys.executable, "-c", f"import os; os.fstat({secret})"], close_fds=False, check=False
        )
        assert naive.returncode == 0
        assert (await attack(body)).said.endswith("won set()\n")
    finally:
        os.close(secret)


# -- network ----------------------------------------------------------------------------------


def connected(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


async def test_E09_host_service_on_tcp(attack: Attack, control: Attack, listener: socket.socket) -> None:
    body = "socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=2).close()"
    port = str(listener.getsockname()[1])
    assert (await control(body, port)).won and connected(listener)
    assert not (await attack(body, port)).won
    assert not connected(listener)


async def test_E10_host_service_on_udp(attack: Attack, control: Attack) -> None:
    body = """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(b"data", ("127.0.0.1", int(sys.argv[1])))
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        port = str(receiver.getsockname()[1])
        await control(body, port)
        assert receiver.recv(10) == b"data"
        await attack(body, port)
        with pytest.raises(BlockingIOError):
            receiver.recv(10)


@pytest.mark.parametrize("abstract", [False, True], ids=["E11-path", "E12-abstract"])
async def test_E11_E12_unix_socket_of_the_host(
    attack: Attack, control: Attack, open_folder: Path, abstract: bool
) -> None:
    body = """
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(sys.argv[1].replace("@", chr(0)))
    """
    name = f"@treemend-test-{os.getpid()}" if abstract else str(open_folder / "docker.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name.replace("@", "\0"))
        if not abstract:
            os.chmod(name, 0o777)
        server.listen()
        server.setblocking(False)
        assert (await control(body, name)).won and connected(server)
        assert not (await attack(body, name)).won
        assert not connected(server)


async def test_E11_unix_socket_in_the_tree(
    attack: Attack, control: Attack, confined: Confined, tree: Path
) -> None:
    """A read-only mount keeps nobody from connecting to a socket in it."""
    for folder in (tree, *tree.parents[:3]):
        folder.chmod(0o755)
    name = str(tree / "sock")
    body = """
        for path in sys.argv[1:]:
            with socket.socket(socket.AF_UNIX) as client:
                try: client.connect(path)
                except OSError as error: print(path, error)
                else: return path
        raise SystemExit("none")
    """
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        os.chmod(name, 0o777)
        server.listen()
        server.setblocking(False)
        assert (await control(body, name)).won and connected(server)
        won = (await attack(body, name, "sock", "/run/treemend/source/tree/sock")).won
        assert won == connected(server) == says(confined, "A socket that lies in the tree")


async def test_E11_datagram_pair_does_not_reach_the_host(
    attack: Attack, control: Attack, open_folder: Path
) -> None:
    """One end of a connected pair of datagram sockets can still send to any path."""
    body = """
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        left.sendto(b"data", sys.argv[1])
    """
    path = str(open_folder / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        os.chmod(path, 0o777)
        receiver.setblocking(False)
        assert (await control(body, path)).won
        assert receiver.recv(10) == b"data"
        assert not (await attack(body, path)).won
        with pytest.raises(BlockingIOError):
            receiver.recv(10)


async def test_E15_network_interfaces(attack: Attack) -> None:
    outcome = await attack("return [name for _, name in socket.if_nameindex()]")
    assert not outcome.won or outcome.said.endswith("won ['lo']\n")
    for path in ("/proc/self/net/dev", "/proc/net/dev", "/sys/class/net"):
        body = "return open(sys.argv[1]).read() if 'dev' in sys.argv[1] else os.listdir(sys.argv[1])"
        listed = await attack(body, path)
        assert not listed.won or (listed.said.count(":") == 1 and "lo:" in listed.said)


async def test_E15_names_of_the_host(attack: Attack, control: Attack, confined: Confined) -> None:
    """What the machine is called, and which control groups it has."""
    body = "return os.uname().nodename"
    assert (await control(body)).said.endswith(f"won {os.uname().nodename}\n")
    if confined.sandbox.name == "bubblewrap":
        assert (await attack(body)).said.endswith("won sandbox\n")
    else:
        assert says(confined, "The name of this machine can be seen")
    groups = {line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().split("\n")[:-1]}
    outcome = await attack("return open('/proc/self/cgroup').read().split('\\n')[:-1]")
    assert not outcome.won or not any(f":{group}'" in outcome.said for group in groups - {"/"})


async def test_E15_connections_of_the_host(attack: Attack, control: Attack, listener: socket.socket) -> None:
    port = f":{listener.getsockname()[1]:04X} "
    body = "return open('/proc/self/net/tcp').read()"
    assert port in (await control(body)).said
    assert port not in (await attack(body)).said


async def test_E16_local_servers_and_process_pools_work(confined: Confined) -> None:
    source = """
        import http.server, multiprocessing, threading, urllib.request
        with multiprocessing.Pool(2) as pool:
            print(pool.map(abs, [-1, -2]))
        queue = multiprocessing.Queue()
        queue.put(3)
        print(queue.get())
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(204)
                self.end_headers()
            def log_message(self, *arguments): pass
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(urllib.request.urlopen(f"http://localhost:{server.server_port}").status)
    """
    result = await confined.run(confined.python(source))
    if confined.sandbox.name == "landlock":
        assert says(confined, "Sockets fail, also local ones, and so do POSIX semaphores")
        assert b"Permission denied" in result.stderr
    else:
        assert result.stdout == b"[1, 2]\n3\n204\n", result.stderr


# -- host files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".bashrc", "site.pth", "new"])
async def test_E20_E21_E22_files_outside_are_not_written(
    attack: Attack, control: Attack, confined: Confined, open_folder: Path, name: str
) -> None:
    target = open_folder / name
    if name != "new":
        target.write_text("old")
        target.chmod(0o666)
    readable = (*confined.command.readable, open_folder)
    body = "open(sys.argv[1], 'a').write('evil')"
    assert not (await attack(body, str(target), readable=readable)).won
    assert not (await attack(body, str(target))).won
    assert not target.exists() or target.read_text() == "old"
    assert (await control(body, str(target))).won
    assert target.read_text().endswith("evil")


@pytest.mark.parametrize(
    "body",
    [
        "os.truncate(sys.argv[1], 0)",
        "os.chmod(sys.argv[1], 0o777)",
        "os.utime(sys.argv[1], (1, 1))",
        "fd = os.open(sys.argv[1], os.O_RDONLY); os.fchmod(fd, 0o777)",
        "os.setxattr(sys.argv[1], 'user.evil', b'x')",
        "os.remove(sys.argv[1])",
        "os.rename(sys.argv[1], sys.argv[1] + '2')",
        "os.rename(sys.argv[1], 'stolen')",
    ],
)
async def test_E20_attributes_outside_are_not_changed(
    attack: Attack, control: Attack, confined: Confined, open_folder: Path, body: str
) -> None:
    target = open_folder / "file"
    target.write_text("old")
    target.chmod(0o644)
    before = target.stat()
    await attack(body, str(target))
    await attack(body, str(target), readable=(*confined.command.readable, open_folder))
    after = target.stat()
    assert (after.st_mode, after.st_mtime, after.st_ctime) == (
        *(before.st_mode, before.st_mtime, before.st_ctime),
    )
    assert target.read_text() == "old" and os.listdir(open_folder) == ["file"]
    await control(body, str(target))
    changed = target.stat() if target.exists() else None
    assert changed is None or changed.st_ctime != before.st_ctime


async def test_E20_nothing_is_made_or_removed_outside(
    attack: Attack, control: Attack, confined: Confined, open_folder: Path
) -> None:
    body = """
        os.chdir(os.environ.get("TREEMEND_TREE", "."))
        open("mine", "w").close()
        outside, worked = sys.argv[1], []
        for name, step in {
            "mkdir": lambda path: os.mkdir(path),
            "mkfifo": lambda path: os.mkfifo(path),
            "symlink": lambda path: os.symlink("x", path),
            "mknod": lambda path: os.mknod(path, 0o140666),
            "open": lambda path: open(path, "x").close(),
            "rmdir": lambda path: os.rmdir(outside + "/empty"),
            "rename": lambda path: os.rename("mine", path),
        }.items():
            try: step(f"{outside}/{name}")
            except OSError: continue
            worked.append(name)
        return len(worked)
    """
    (open_folder / "empty").mkdir()
    for readable in (confined.command.readable, (*confined.command.readable, open_folder)):
        assert (await attack(body, str(open_folder), readable=readable)).said.endswith("won 0\n")
        assert os.listdir(open_folder) == ["empty"]
    same_file_system = Path("/dev/shm") in open_folder.parents
    assert (await control(body, str(open_folder))).said.endswith("won 7\n" if same_file_system else "won 6\n")


async def test_E20_only_the_copy_and_the_scratch_places_are_writable(
    attack: Attack, confined: Confined
) -> None:
    body = """
        places = ["/", "/dev", "/etc", "/proc", "/proc/1", "/run", "/run/treemend", "/usr", "/var"]
        places += [os.path.dirname(os.getcwd()), *sys.argv[1:]]
        written = []
        for place in places:
            try: open(place + "/new", "w").close()
            except OSError: continue
            written.append(place)
        return written
    """
    readable = [str(path) for path in confined.command.readable]
    assert (await attack(body, *readable)).said.endswith("won []\n")


async def test_E01_folders_are_not_listed_and_programs_not_run_outside(
    attack: Attack, control: Attack, open_folder: Path
) -> None:
    program = open_folder / "program"
    program.write_bytes(Path("/usr/bin/id").read_bytes())
    program.chmod(0o755)
    listing, running = "return os.listdir(sys.argv[1])", "subprocess.run([sys.argv[1] + '/program'])"
    for body in (listing, running):
        assert (await control(body, str(open_folder))).won
        assert not (await attack(body, str(open_folder))).won


async def test_E23_git_hook_in_the_copy(attack: Attack, tree: Path) -> None:
    (tree / ".git" / "hooks").mkdir(parents=True)
    body = """
        open(".git/hooks/post-checkout", "w").write("evil")
        return os.listdir(".git/hooks")
    """
    assert "post-checkout" in (await attack(body)).said
    assert os.listdir(tree / ".git" / "hooks") == []


async def test_E24_write_through_a_link(attack: Attack, control: Attack, open_folder: Path) -> None:
    target = open_folder / "file"
    target.write_text("old")
    target.chmod(0o666)
    body = "os.symlink(sys.argv[1], 'link'); open('link', 'w').write('evil')"
    assert not (await attack(body, str(target))).won
    assert target.read_text() == "old"
    assert (await control(body, str(target))).won


async def test_E24_link_in_the_tree(attack: Attack, tree: Path, open_folder: Path) -> None:
    """A repository may bring the link with it; the copy holds the link, never what it leads to."""
    target = open_folder / "file"
    target.write_text("canary")
    target.chmod(0o666)
    (tree / "link").symlink_to(target)
    assert not (await attack("return open('link').read()")).won
    assert not (await attack("open('link', 'w').write('evil')")).won
    assert target.read_text() == "canary"


async def test_E25_hard_link_to_a_secret(attack: Attack, control: Attack, open_folder: Path) -> None:
    secret = open_folder / "secret"
    secret.write_text("canary")
    secret.chmod(0o666)
    body = "os.link(sys.argv[1], 'mine'); return open('mine').read()"
    assert not (await attack(body, str(secret))).won
    assert secret.stat().st_nlink == 1
    if Path("/dev/shm") in secret.parents:
        assert "canary" in (await control(body, str(secret))).said
