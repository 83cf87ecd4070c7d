"""Process 1 of a sandbox: a warm server that forks one worker per submission.

Owns: forking and ending workers, the worker's own walls (limits, system-call filter). Must not
know: anything of ours but child.py, which lies beside it inside; checks, expected values, paths.
Read before: child.py (what a worker does), worker.py (the other end of the control socket).

Started as ``python -I -S -B forkserver.py CONTROL_FD FOLDER``; the folder has NumPy and child.py.
The server never runs a line of a submission: it imports NumPy, and for each ``run`` line on the
control socket forks a worker, to which it gives four fresh pipes. The worker closes the control
socket, raises its walls and only then reads requests. It can't reach the server (no signals, no
ptrace, no /proc) nor fork.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import gc
import io
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import traceback

sys.path.append(sys.argv[2])
import child

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 1, 1


def main() -> None:
    """Serve forks until the control socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    linux_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    linux_call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    gc.collect()
    gc.freeze()
    control.sendall(json.dumps({"ready": os.getpid()}).encode() + b"\n")
    Server(control).serve()


def linux_call(name: str, *arguments: object) -> None:
    """Call libc, raising OSError where it fails; nothing at all on other systems."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


class Server:
    """Forks a worker when told, kills it when told, says how it ended."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.worker = 0
        self.wake, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        while True:
            ready = select.select([self.control, self.wake], [], [])[0]
            if self.wake in ready:
                os.read(self.wake, 4096)
                self.reap()
            if self.control in ready:
                data, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 4)
                if not data:  # the grader is gone
                    self.kill()
                    return
                for message in map(json.loads, data.splitlines()):
                    if "run" in message:
                        self.run(message["run"], fds)
                    else:
                        self.kill()

    def run(self, how: dict, fds: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                become_worker(self.control, how, fds)
                child.write_frame({"id": 0, "value": None}, [])  # the walls are up
                child.Submission(how["reply_bytes"]).serve()
                code = 0
            except BaseException:  # noqa: BLE001 - nothing may return into the server's loop
                traceback.print_exc()
            finally:
                os._exit(code)
        self.worker = pid
        for fd in fds:
            os.close(fd)

    def kill(self) -> None:
        if self.worker:
            os.kill(self.worker, signal.SIGKILL)

    def reap(self) -> None:
        pid = -1
        with contextlib.suppress(ChildProcessError):
            while pid:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid and pid == self.worker:
                    self.worker = 0
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGKILL)  # programs that it started
                    report = {"exit": os.waitstatus_to_exitcode(status), "clean": not os.listdir()}
                    self.control.sendall(json.dumps(report).encode() + b"\n")


def become_worker(control: socket.socket, how: dict, fds: list[int]) -> None:
    """Turn a fork of the server into a worker: own pipes, nothing else open, walls up."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    # the message carries our credentials, from which the grader learns our number outside
    control.sendall(json.dumps({"worker": os.getpid()}).encode() + b"\n")
    control.detach()
    high = [os.dup2(fd, 200 + i) for i, fd in enumerate(fds)]  # out of the way of 1 to 4
    for fd, place in zip(high, (child.REQUESTS, child.REPLIES, 1, 2), strict=True):
        os.dup2(fd, place)
    os.closerange(5, 1 << 14)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        raw = io.FileIO(fd, "w", closefd=False)
        stream = io.TextIOWrapper(raw, "utf-8", errors="backslashreplace", write_through=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    linux_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for name, value in how["rlimits"].items():
        spare = 1 if name == "RLIMIT_CPU" else 0  # SIGXCPU first, so that the reason shows
        resource.setrlimit(getattr(resource, name), (value, value + spare))
    linux_call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if how["filter"]:
        install_filter(base64.b64decode(how["filter"]), how["seccomp"])


def install_filter(program: bytes, seccomp: int) -> None:
    """Install a BPF program (8 bytes an instruction) for all threads of this process."""
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    )
    linux_call(
        "syscall", seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
        ctypes.c_void_p(ctypes.addressof(header)),
    )  # fmt: skip


if __name__ == "__main__":
    main()
