"""Landlock: a process that gives up all files but a few, on Linux without user namespaces.

Owns: the system calls (by ctypes), and this file run as a script, the launcher of the fallback:
``python -I -S landlock.py JSON``, with ``read``, ``names``, ``write`` (paths), ``folders``, ``uid``
(or null) and ``argv``, gives up privileges and files, then becomes ``argv``. Must not know: what is
confined; it imports nothing of ours, because it runs inside. Source: the kernel's
Documentation/userspace-api/landlock.rst. Read before: walls.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import stat
import struct
import sys

# numbers of the calls: the same on every architecture
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION, RULE_PATH_BENEATH = 1, 1
(EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG,
 MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV) = (
    1 << i for i in range(16)
)  # fmt: skip
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # ABI -> how many of them it knows; later ones know all
READ = EXECUTE | READ_FILE | READ_DIR
# plain files only: a flat folder is quick to count and to remove
WRITE = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | MAKE_REG | REMOVE_FILE
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_SOCKET, SCOPE_SIGNAL = 1, 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 24, 28, 38
NO_ROOT_LOCKED = 0x03  # uid 0 gets no capabilities at exec
CAPABILITY_VERSION_3 = 0x20080522


def abi() -> int:
    """The version of Landlock that the running kernel has, 0 for none."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(CREATE_RULESET, None, 0, CREATE_RULESET_VERSION))


def restrict(read: list[str], names: list[str], write: list[str], folders: bool = False) -> None:
    """Give up every file but those under ``read`` (read, execute) and ``write`` (plain files, and
    with ``folders`` folders too).

    The folders under ``names`` can be listed: Python looks modules up that way.
    Also, where the kernel knows how: TCP, abstract sockets, signals to processes outside.
    Raises OSError.
    """
    version = abi()
    known = (1 << RIGHTS.get(version, 16)) - 1
    ruleset = struct.pack("Q", known)
    if version >= 4:
        ruleset += struct.pack("Q", BIND_TCP | CONNECT_TCP)
    if version >= 6:
        ruleset += struct.pack("Q", SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL)
    handle = _call("syscall", CREATE_RULESET, ruleset, len(ruleset), 0)
    rights_to_write = WRITE | (MAKE_DIR | REMOVE_DIR | REFER if folders else 0)
    for paths, rights in ((read, READ), (names, READ_DIR), (write, rights_to_write)):
        for path in paths:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed = rights & known
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                allowed &= OF_FILES
            rule = struct.pack("=Qi", allowed, fd)
            _call("syscall", ADD_RULE, handle, RULE_PATH_BENEATH, rule, 0)
            os.close(fd)
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("syscall", RESTRICT_SELF, handle, 0)
    os.close(handle)


def give_up_privileges(uid: int | None) -> None:
    """Become ``uid`` (root only), or stay who we are; in either case hold no capability at all."""
    if uid is None and os.geteuid() != 0:
        return
    for capability in range(64):
        with contextlib.suppress(OSError):  # beyond the last one, or not ours to drop
            _call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    else:
        with contextlib.suppress(OSError):
            _call("prctl", PR_SET_SECUREBITS, NO_ROOT_LOCKED, 0, 0, 0)
    header, none = struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)
    _call("capset", header, none)


def _call(name: str, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = getattr(libc, name)(
        *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    )
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def main() -> None:
    """Give up, then become the program."""
    how = json.loads(sys.argv[1])
    give_up_privileges(how["uid"])
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    restrict(how["read"], how["names"], how["write"], how.get("folders", False))
    os.execv(how["argv"][0], how["argv"])


if __name__ == "__main__":
    main()
