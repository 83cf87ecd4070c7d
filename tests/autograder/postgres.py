"""A PostgreSQL server of one's own for a while: Debian's programs, a temporary folder, no network.

    with postgres.server() as url:
        nbgrader_bridge.init(folder, db=url)

As root it runs as the user postgres or nobody, for it refuses to be root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

START_S = 60.0


def programs() -> Path | None:
    """The folder with initdb and postgres, of the newest version; None where there is none."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if which := shutil.which("initdb"):
        found.append(Path(which).resolve().parent)
    whole = [p for p in found if (p / "postgres").exists()]
    return max(whole, key=lambda p: p.parent.name, default=None)


@contextmanager
def server():
    """Start a server, yield the URL of its empty database, stop it and remove all it wrote."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has 107 bytes
    how = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    if os.getuid() == 0:
        user = ordinary_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        how |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    make = [programs() / "initdb", "-D", data, "-U", "grader", "-A", "trust", "-E", "UTF8", "-N"]
    try:
        subprocess.run([*make, "--locale=C.UTF-8"], check=True, **how)
        settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with log.open("wb") as file:
            how["stderr"] = file
            process = subprocess.Popen([programs() / "postgres", "-D", data, *options], **how)
        try:
            wait(process, folder, log)
            yield f"postgresql://grader@/postgres?host={folder}"
        finally:
            process.send_signal(2)  # its fast shutdown: clients are cut off, files are whole
            process.wait(START_S)
    finally:
        shutil.rmtree(folder)


def wait(process: subprocess.Popen, folder: Path, log: Path) -> None:
    """Until it answers."""
    until = time.monotonic() + START_S
    ready = [programs() / "pg_isready", "-q", "-h", folder, "-U", "grader", "-d", "postgres"]
    while subprocess.run(ready).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"postgres does not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def ordinary_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("neither a user postgres nor nobody to run the server as")
