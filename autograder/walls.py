"""The kinds of walls a submission can be put behind, and what of the system is visible inside.

Owns: BACKENDS (a row per kind: when it can be tried, the command that starts the server inside),
the list of files that Python and NumPy need. Must not know: the protocol, submissions, checks.
Read before: forkserver.py, seccomp.py, landlock.py.

Inside are the interpreter, its standard library, NumPy alone out of site-packages, the system's
shared libraries and a scratch folder; not the course, the engine, the grader, /proc, or a home.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy

from autograder import landlock

LINUX = sys.platform == "linux"
PROGRAM = "forkserver.py"
SCRATCH_NAME = "autograder-scratch"
SCRATCH_BYTES, SCRATCH_FILES = 16 << 20, 1000
SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/usr/share/zoneinfo/UTC")
PROGRAMS = ("/usr/bin", "/bin", "/usr/libexec", "/usr/include")  # where a compiler is
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
PACKAGES = ("site-packages", "dist-packages")
# above every range that distributions and container engines hand out
FIRST_UNUSED_UID = 0x70000000
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_serial = itertools.count()


@dataclass(frozen=True)
class Tools:
    """What a workshop has besides: programs of the system, and packages (folders) to import."""

    packages: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Launch:
    """A command that starts the server behind walls, and what belongs to it."""

    argv: list[str]
    environment: dict[str, str]
    folder: str  # where the command is started
    inside: str  # the scratch folder, as the submission sees it
    scratch: Path | None = None  # what to remove afterwards, on our own file system
    uid: int | None = None  # the user inside, where nobody else is that user


@dataclass(frozen=True)
class Backend:
    """One kind of walls. ``missing()`` says why it can't even be tried here, "" if it can.

    ``launch(control)`` takes the number of the control socket's descriptor. With ``tools`` it is a
    workshop, where trusted code may run programs on what a submission said.
    """

    name: str
    title: str
    sandboxed: bool
    missing: Callable[[], str]
    start: Callable[[int, Tools | None], Launch]
    tools: Tools | None = None

    def launch(self, control: int) -> Launch:
        return self.start(control, self.tools)


def bubblewrap_as_root(control: int, tools: Tools | None = None) -> Launch:
    """bwrap without a user namespace; inside, an unused user without capabilities.

    With a user namespace root would stay the owner of all files and could undo read-only mounts.
    """
    uid = unused_uid()
    keep = [f"--cap-add CAP_{c}".split() for c in ("SETUID", "SETGID", "SETPCAP")]
    drop = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
    setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
    argv = [
        *_bwrap(),
        *("--cap-drop", "ALL", *itertools.chain(*keep)),
        *_view(tools, setpriv=setpriv),
        *("/sandbox/setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *drop, "--"),
        *_python(f"/sandbox/{PROGRAM}", control, "/sandbox"),
    ]
    return Launch(argv, _environment("/scratch"), "/", "/scratch", uid=uid)


def bubblewrap_as_user(control: int, tools: Tools | None = None) -> Launch:
    """bwrap in a user namespace, as an ordinary user."""
    argv = [
        *_bwrap(),
        *("--unshare-user", "--cap-drop", "ALL"),
        *_view(tools),
        *_python(f"/sandbox/{PROGRAM}", control, "/sandbox"),
    ]
    return Launch(argv, _environment("/scratch"), "/", "/scratch")


def _bwrap() -> list[str]:
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--as-pid-1"),
    ]


def _view(tools: Tools | None, setpriv: str | None = None) -> Iterator[str]:
    """What is mounted: folders first, because bwrap makes missing parents unreadable (0700)."""
    links, binds = _inside(tools is not None)
    places = [target for _, target, _ in binds] + [target for target, _ in links]
    for folder in _ancestors([*places, "/dev/null", "/sandbox/numpy"]):
        yield from ("--perms", "0755", "--dir", folder)
    for source, target, masks in binds:
        yield from ("--ro-bind", source, target)
        for mask in masks:
            yield from ("--perms", "0755", "--tmpfs", mask, "--remount-ro", mask)
    for target, source in links:
        yield from ("--symlink", source, target)
    for device in DEVICES:
        yield from ("--dev-bind", device, device)
    for package in _packages(tools):
        yield from ("--ro-bind", str(package), f"/sandbox/{package.name}")
    for part in _program():
        yield from ("--ro-bind", str(part), f"/sandbox/{part.name}")
    if setpriv:
        yield from ("--ro-bind", setpriv, "/sandbox/setpriv")
    yield from ("--perms", "1777", "--size", str(SCRATCH_BYTES), "--tmpfs", "/scratch")
    yield from ("--remount-ro", "/", "--chdir", "/scratch")


def landlocked(control: int, tools: Tools | None = None) -> Launch:
    """No namespaces: Landlock for files, the system-call filter for the rest.

    Root becomes an unused user where that user can read the interpreter, else root without
    capabilities. The names and sizes of files outside can be seen, nothing in them.
    """
    scratch = _scratch_folder()
    linked, work = _furnished(scratch, tools)
    uid = unused_uid() if os.geteuid() == 0 and _all_may_read() else None
    if uid is not None:
        scratch.chmod(0o711)
        os.chown(work, uid, uid)
    binds = _inside(tools is not None)[1]
    read = [
        part for source, _, masks in binds for part in _without(os.path.realpath(source), masks)
    ]
    how = {
        "read": [*read, *map(str, _packages(tools)), str(linked), *DEVICES],
        "names": [source for source, _, masks in binds if masks],
        "write": [str(work), "/dev/null"],
        "folders": tools is not None,
        "uid": uid,
        "argv": _python(str(linked / PROGRAM), control, str(linked)),
    }
    argv = _python(landlock.__file__, json.dumps(how))
    return Launch(argv, _environment(str(work)), str(work), str(work), scratch, uid)


def unconfined(control: int, tools: Tools | None = None) -> Launch:
    """No walls: the submission may do what we may do."""
    scratch = _scratch_folder()
    linked, work = _furnished(scratch, tools)
    argv = _python(str(linked / PROGRAM), control, str(linked))
    return Launch(argv, _environment(str(work)), str(work), str(work), scratch)


def _furnished(scratch: Path, tools: Tools | None) -> tuple[Path, Path]:
    """In our own file system: the folder of packages and of the program, the folder to work in."""
    linked, work = scratch / "packages", scratch / "scratch"
    linked.mkdir(mode=0o755)
    work.mkdir()
    for package in _packages(tools):
        (linked / package.name).symlink_to(package)
    for part in _program():
        shutil.copyfile(part, linked / part.name)
    return linked, work


def _scratch_folder() -> Path:
    """A folder of our own; those that a killed grader could not remove go first."""
    for old in Path(tempfile.gettempdir()).glob(f"{SCRATCH_NAME}-*-*") if LINUX else ():
        pid = old.name.split("-")[-2]
        with contextlib.suppress(OSError):
            mine = old.lstat().st_uid == os.geteuid() and not old.is_symlink()
            if mine and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{SCRATCH_NAME}-{os.getpid()}-"))


def unused_uid() -> int:
    """A user that owns nothing and is no other sandbox's: limits on processes count per user."""
    serial = next(_serial) % 32
    try:
        spans = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        spans = []
    if any(int(inside) + int(n) > FIRST_UNUSED_UID + (1 << 27) for inside, _, n in spans):
        return FIRST_UNUSED_UID + (os.getpid() % (1 << 22)) * 32 + serial
    return 61000 + (os.getpid() * 32 + serial) % 4000  # in a container that maps few users


def _python(script: str, *arguments: object) -> list[str]:
    # -I: no environment, no user's packages; -S: no site-packages, so no .pth files either
    flags = ["-I", "-S", "-B", "-X", "utf8"]
    return [str(_interpreter()), *flags, script, *map(str, arguments)]


def _environment(scratch: str) -> dict[str, str]:
    return CLEAN_ENVIRONMENT | {"HOME": scratch, "TMPDIR": scratch}


def _interpreter() -> Path:
    """The real interpreter behind a virtual environment's link."""
    return Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()


def _program() -> list[Path]:
    """The files of ours that run inside."""
    return [Path(__file__).with_name(name) for name in (PROGRAM, "child.py")]


def _packages(tools: Tools | None) -> list[Path]:
    """numpy/ and, in wheels, numpy.libs/, and the tools' own; nothing else of their folders."""
    package = Path(numpy.__file__).resolve().parent
    found = [p for p in (package, package.parent / "numpy.libs") if p.is_dir()]
    return [*found, *(tools.packages if tools else ())]


@functools.cache
def _inside(programs: bool) -> tuple[list[tuple[str, str]], list[tuple[str, str, tuple[str, ...]]]]:
    """(link, what it says) and (source, target, folders to hide in it) for Python and libraries."""
    links, folders = [], []
    prefix = Path(sys.base_prefix)
    library = Path(sysconfig.get_path("stdlib")).parent
    system = (*SYSTEM_LIBRARIES, *(PROGRAMS if programs else ()))
    wanted = [*system, *([] if prefix == Path("/usr") else [str(library)])]
    if sys.platlibdir != "lib":
        wanted.append(str(prefix / sys.platlibdir))
    for path in dict.fromkeys(wanted):
        if os.path.islink(path) and path in system:
            links.append((path, os.readlink(path)))
        elif os.path.isdir(path):
            folders.append(path)
    binds = [(f, f, _packages_in(Path(f))) for f in folders if not _covered(f, folders)]
    files = [str(_interpreter()), *(f for f in SYSTEM_FILES if os.path.exists(f))]
    return links, binds + [(f, f, ()) for f in files if not _covered(f, folders)]


def _packages_in(folder: Path) -> tuple[str, ...]:
    """Installed packages under a folder of libraries: they could hold the engine or the grader."""
    found = [folder / name for name in PACKAGES]
    found += [p / name for p in sorted(folder.glob("python*")) for name in PACKAGES]
    return tuple(str(p) for p in found if p.is_dir())


def _covered(path: str, folders: list[str]) -> bool:
    return any(path.startswith(f + "/") for f in folders)


def _ancestors(paths: list[str]) -> list[str]:
    parents = {str(p) for path in paths for p in Path(path).parents} - {"/"}
    return sorted(parents)


def _without(source: str, masks: tuple[str, ...]) -> list[str]:
    """``source`` as a list of paths that leave ``masks`` out: Landlock can allow, not subtract.

    A link among them would open what it points to, which may be outside: left out as well.
    """
    if source in masks or os.path.islink(source):
        return []
    if not any(mask.startswith(source + "/") for mask in masks):
        return [source]
    return [part for entry in sorted(os.listdir(source))
            for part in _without(os.path.join(source, entry), masks)]  # fmt: skip


def _all_may_read() -> bool:
    """True where a user without rights of his own can reach the interpreter and NumPy."""
    folders = [str(_interpreter()), sysconfig.get_path("stdlib"), *map(str, _packages(None))]
    reached = {Path(f) for f in folders} | {p for f in folders for p in Path(f).parents}
    return all(p.stat().st_mode & 0o005 == 0o005 for p in reached)


def _no_bubblewrap(root: bool) -> str:
    if not LINUX:
        return "bubblewrap is for Linux"
    if (os.geteuid() == 0) != root:
        return "for root only" if root else "for ordinary users only"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed: apt-get install bubblewrap"
    if root and shutil.which("setpriv") is None:
        return "setpriv is not installed: apt-get install util-linux"
    return ""


def _no_landlock() -> str:
    return "" if landlock.abi() else "this system has no Landlock (Linux 5.13 or newer has)"


BACKENDS = (
    Backend(
        "bubblewrap-root", "bubblewrap, as root", True,
        lambda: _no_bubblewrap(root=True), bubblewrap_as_root,
    ),
    Backend(
        "bubblewrap", "bubblewrap, as an ordinary user", True,
        lambda: _no_bubblewrap(root=False), bubblewrap_as_user,
    ),
    Backend("landlock", "Landlock", True, _no_landlock, landlocked),
    Backend("none", "UNSANDBOXED", False, lambda: "", unconfined),
)  # fmt: skip
