"""Sandboxed processes as seen from outside: a warm server, its workers, the watch over them.

Owns: Server (one sandbox, walls up, NumPy loaded), Worker (one process in it with fresh pipes),
the exchange of frames under limits of time, memory and size. Must not know: what a frame means,
checks, submissions. Read before: forkserver.py (the other end), walls.py.

bubblewrap's ``--die-with-parent`` and the kernel's PDEATHSIG follow the *thread* that started the
server: start and use one from a single thread that lives longer than it.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import replace

from autograder import seccomp
from autograder.errors import SandboxUnavailable
from autograder.walls import SCRATCH_BYTES, SCRATCH_FILES, Backend, Launch, Tools
from autograder.watch import Limits, Stopped, Watch
from autograder.wire import BadFrame, Frame

START_S = 30.0
KILL_S = 5.0
LIBRARIES_BYTES = 1 << 29  # address space that the interpreter and NumPy take before any data
PIPE_BYTES = 1 << 18
CHUNK = 1 << 16  # a larger buffer would be mapped and unmapped for each read: 16 us


class Server:
    """One sandbox with the interpreter and NumPy loaded; forks one worker at a time."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._process: subprocess.Popen | None = None
        self._worker: Worker | None = None
        self._control: socket.socket | None = None
        self.launch: Launch | None = None
        self._workshop: Server | None = None

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Put the walls up and load NumPy; ``worker`` does it where needed."""
        self._control, theirs = socket.socketpair()
        if sys.platform == "linux":
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._lines, self._sender = b"", 0
        self.launch = self.backend.launch(theirs.fileno())
        try:
            self._process = subprocess.Popen(
                self.launch.argv, env=self.launch.environment, cwd=self.launch.folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
            theirs.close()
            self.pid = self._hear("ready", START_S)[1]
        except OSError as error:
            theirs.close()
            self.close()
            raise SandboxUnavailable(f"{self.backend.title}: {error}") from error
        except BaseException:
            self.close()
            raise

    def worker(self, limits: Limits) -> Worker:
        """A fresh process, ready for requests. Raises SandboxUnavailable."""
        if not self.alive:
            self.start()
        pipes = [os.pipe() for _ in range(4)]
        (to_read, requests), (replies, to_write), (output, out), (errors, err) = pipes
        for fd in (requests, replies):
            with contextlib.suppress(AttributeError, OSError):
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        walled, workshop = self.backend.sandboxed, self.backend.tools is not None
        program, number = seccomp.program(workshop) if walled else (b"", 0)
        how = {
            "rlimits": self._rlimits(limits),
            "filter": base64.b64encode(program).decode(),
            "seccomp": number,
            "reply_bytes": limits.reply_bytes,
        }
        try:
            line = json.dumps({"run": how}).encode() + b"\n"
            socket.send_fds(self._control, [line], [to_read, to_write, out, err])
            pid = self._hear("worker", KILL_S)[1]
        except BaseException:
            for fd in (requests, replies, output, errors):
                os.close(fd)
            self.close()  # what it may still say would confuse the next one
            raise
        finally:
            for fd in (to_read, to_write, out, err):
                os.close(fd)
        self._worker = Worker(self, pid, limits, (requests, replies, output, errors))
        self._worker.await_walls()
        return self._worker

    def workshop(self, tools: Tools) -> Server:
        """The sandbox with these tools that belongs to this one; it ends when this one does."""
        if self._workshop is None or self._workshop.backend.tools != tools:
            if self._workshop is not None:
                self._workshop.close()
            self._workshop = Server(replace(self.backend, tools=tools))
        return self._workshop

    def _rlimits(self, limits: Limits) -> dict[str, int]:
        rlimits = {
            "RLIMIT_CPU": limits.cpu_s,
            "RLIMIT_FSIZE": limits.file_bytes,
            "RLIMIT_NOFILE": 64,
            "RLIMIT_CORE": 0,
        }
        if sys.platform == "linux":
            rlimits["RLIMIT_AS"] = limits.memory_bytes + LIBRARIES_BYTES
        if self.launch.uid is not None:  # else it would count all processes of a person
            rlimits["RLIMIT_NPROC"] = limits.processes + 1
        return rlimits

    def kill_worker(self) -> tuple[int | None, bool]:
        """Kill the worker if it lives; (exit code or minus signal, left no file behind)."""
        if self._worker is None:
            return None, True
        with contextlib.suppress(OSError):
            self._control.sendall(b'{"kill": true}\n')
        return self.wait_for_worker(KILL_S)

    def wait_for_worker(self, seconds: float) -> tuple[int | None, bool]:
        """Wait for the worker's end; None where there is no word of it in time."""
        try:
            report, _ = self._hear("exit", seconds)
        except SandboxUnavailable:
            return None, False
        self._worker = None
        return report["exit"], report["clean"]

    def _hear(self, key: str, seconds: float) -> tuple[dict, int]:
        """The next message with ``key``, and the number of the process that sent it."""
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" in self._lines:
                line, _, self._lines = self._lines.partition(b"\n")
                message = json.loads(line)
                if key in message:
                    return message, self._sender or message[key]
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self._control], [], [], left)[0]
            data, ancillary, _, _ = (
                self._control.recvmsg(1 << 16, 1 << 10) if ready else (b"", [], 0, 0)
            )
            if not data:
                raise SandboxUnavailable(f"{self.backend.title}: {self._last_words(bool(ready))}")
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, getattr(socket, "SCM_CREDENTIALS", -1)):
                    # the kernel puts the sender's number in our terms, whatever its namespace
                    self._sender = struct.unpack_from("i", value)[0]
            self._lines += data

    def _last_words(self, ended: bool) -> str:
        if not ended:
            return "no answer from the sandbox"
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._process.wait(KILL_S)
            text = os.read(self._process.stderr.fileno(), 4096).decode(errors="replace").strip()
            return text.splitlines()[-1] if text else "the sandbox ended"
        return "the sandbox ended"

    def crowded(self) -> bool:
        """True where the scratch folder holds more files or bytes than it may."""
        if self.launch is None:
            return False
        if self.launch.scratch is None:  # a tmpfs of limited size, but of unlimited files
            with contextlib.suppress(OSError):
                mount = os.statvfs(f"/proc/{self.pid}/root{self.launch.inside}")
                return mount.f_files - mount.f_ffree > SCRATCH_FILES
            return False
        n_files = n_bytes = 0
        with contextlib.suppress(OSError), os.scandir(self.launch.inside) as entries:
            for entry in entries:
                n_files += 1
                with contextlib.suppress(OSError):
                    n_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
                if n_files > SCRATCH_FILES or n_bytes > SCRATCH_BYTES:
                    return True
        return False

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """Kill everything in the sandbox, wait until it is gone, remove its folder."""
        if self._workshop is not None:
            self._workshop.close()
            self._workshop = None
        if (worker := self._worker) is not None:
            if self.alive:
                self.kill_worker()
            worker.shut()
        if self._control is not None:
            self._control.close()
        if self.alive:
            # the server is process 1 of its namespace: with it goes all that is in there
            with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
                os.kill(self.pid, signal.SIGKILL)
            try:
                self._process.wait(KILL_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process is not None:
            self._process.wait()
            self._process.stderr.close()
            self._process = self._worker = None
        if self.launch is not None and self.launch.scratch is not None:
            shutil.rmtree(self.launch.scratch, ignore_errors=True)
        self._control = self.launch = None


class Worker:
    """One process in a sandbox, and our ends of its pipes."""

    def __init__(self, server: Server, pid: int, limits: Limits, pipes: tuple[int, ...]) -> None:
        self._server, self.pid, self._limits = server, pid, limits
        self._requests, self._replies, output, errors = pipes
        self._pipes = pipes
        self.printed: dict[int, bytearray] = {output: bytearray(), errors: bytearray()}
        for fd in pipes:
            os.set_blocking(fd, False)
        self._watch = Watch(pid, limits)
        self._poll = select.poll()
        for fd in (self._replies, output, errors):
            self._poll.register(fd, select.POLLIN)

    def await_walls(self) -> None:
        """Wait until the worker has installed its limits and its filter."""
        try:
            self._answer(b"", START_S, START_S)
        except (Stopped, BadFrame) as error:
            words = self.output()[1].strip().splitlines()
            self.close()
            self._server.close()
            raise SandboxUnavailable(
                f"{self._server.backend.title}: {words[-1] if words else error}"
            ) from error

    def exchange(self, frame: bytes, total_s: float) -> Frame:
        """Send a frame, give the reply's, in ``total_s`` at the very most.

        Raises Stopped, after which the worker is gone.
        """
        for fd, event in self._poll.poll(0):
            if fd == self._replies:
                if event & select.POLLIN:
                    raise self._stop("bad-reply", "it wrote to the grader's own pipe")
                raise self._ended()
        try:
            return self._answer(frame, min(self._limits.call_s, total_s), total_s)
        except BadFrame as problem:
            raise self._stop("bad-reply", str(problem)) from problem

    def _answer(self, frame: bytes, seconds: float, at_most_s: float) -> Frame:
        reply, left = Frame(self._limits.reply_bytes), memoryview(frame)
        watch = self._watch
        watch.begin(seconds, at_most_s)
        if left:  # most frames fit into the pipe at once
            left = self._send(left)
        if left:
            self._poll.register(self._requests, select.POLLOUT)
        try:
            while True:
                for fd, event in self._poll.poll(watch.next_ms()):
                    if fd == self._requests:
                        left = self._send(left)
                        if not left:
                            self._poll.unregister(fd)
                    elif fd in self.printed:
                        self._drain(fd, event)
                    else:
                        chunk = os.read(fd, CHUNK)
                        if not chunk:
                            raise self._ended()
                        if reply.feed(chunk):
                            return reply
                if watch.due and (stop := watch.look(self._server.crowded)):
                    raise self._stop(stop.why, str(stop))
        finally:
            if left:
                with contextlib.suppress(KeyError, OSError):
                    self._poll.unregister(self._requests)

    def _send(self, left: memoryview) -> memoryview:
        try:
            return left[os.write(self._requests, left[:CHUNK]) :]
        except BlockingIOError:
            return left
        except BrokenPipeError:
            raise self._ended() from None

    def _drain(self, fd: int, event: int) -> None:
        data = os.read(fd, CHUNK) if event & select.POLLIN else b""
        if not data:
            self._poll.unregister(fd)  # it closed its end
            return
        room = self._limits.output_bytes - len(self.printed[fd])
        self.printed[fd] += data[: max(0, room)]

    def output(self) -> tuple[str, str]:
        """What was kept of standard output and standard error."""
        for fd in self.printed if self._pipes else ():
            with contextlib.suppress(OSError):
                while data := os.read(fd, CHUNK):
                    room = self._limits.output_bytes - len(self.printed[fd])
                    self.printed[fd] += data[: max(0, room)]
                    if room <= 0:
                        break
        out, err = (bytes(b).decode("utf-8", "replace") for b in self.printed.values())
        return out, err

    def _ended(self) -> Stopped:
        """Why the worker is gone, once its pipe is closed."""
        code, clean = self._server.wait_for_worker(1.0)
        if code is None:
            return self._stop("bad-reply", "it closed the grader's pipe")
        self._finish(clean)
        if code == -signal.SIGXCPU:
            return Stopped("timeout", f"it used {self._limits.cpu_s} s of processor time")
        if code < 0:
            with contextlib.suppress(ValueError):
                return Stopped("killed", f"the process was ended by {signal.Signals(-code).name}")
            return Stopped("killed", f"the process was ended by signal {-code}")
        return Stopped("killed", f"the process ended itself (exit code {code})")

    def _stop(self, why: str, message: str) -> Stopped:
        self.close()
        return Stopped(why, message)

    def close(self) -> None:
        """Kill the process, wait until it is gone."""
        if self._pipes:
            self._finish(self._server.kill_worker()[1])

    def shut(self) -> None:
        """Keep what was printed and close our ends of the pipes."""
        self.output()
        pipes, self._pipes = self._pipes, ()
        for fd in pipes:
            os.close(fd)

    def _finish(self, clean: bool) -> None:
        self.shut()
        if not clean:  # files left, or no word of its end: nobody else is to meet that
            self._server.close()
