"""Which system calls a submission may make, as a BPF program made by libseccomp.

Owns: the tables of calls and the program. Must not know: processes, backends, checks.
The worker installs the program on itself after NumPy is loaded and before it reads a request
(forkserver.install_filter), so neither fork nor exec is needed any more and both are denied: with
them go fork bombs, leftovers and every set-uid program. Read before: forkserver.py.
"""

from __future__ import annotations

import errno
import functools
import signal
import tempfile

from autograder.errors import SandboxUnavailable

ALLOWED = [
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "preadv2", "pwritev",
    "pwritev2", "close", "close_range", "lseek", "stat", "lstat", "fstat", "newfstatat", "statx",
    "statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd",
    "chdir", "fchdir", "getdents", "getdents64", "dup", "dup2", "dup3", "pipe", "pipe2", "umask",
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "eventfd", "eventfd2", "signalfd4", "timerfd_create",
    "timerfd_settime", "timerfd_gettime", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "mkdir", "mkdirat", "rmdir", "ftruncate", "fallocate", "fsync", "fdatasync", "flock",
    "sendfile", "copy_file_range", "fadvise64", "mmap", "munmap", "mremap", "mprotect", "madvise",
    "brk", "mincore", "msync", "membarrier", "futex", "futex_waitv", "set_robust_list",
    "get_robust_list", "rseq", "set_tid_address", "arch_prctl", "getpid", "getppid", "gettid",
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getpgrp",
    "getpgid", "getsid", "capget", "sched_yield", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getpriority",
    "getcpu", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday",
    "time", "times", "getrusage", "getrlimit", "setrlimit", "sysinfo", "uname", "getrandom",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigpending",
    "rt_sigtimedwait", "sigaltstack", "restart_syscall", "alarm", "setitimer", "getitimer", "pause",
    "exit", "exit_group",
]  # fmt: skip
# What a workshop may besides: run programs. No kill, and no process group but the worker's own, so
# that all of it ends with the worker.
PROGRAMS = [
    "fork",
    "vfork",
    "execve",
    "wait4",
    "waitid",
    "chmod",
    "fchmod",
    "fchmodat",
    "utimensat",
]
# Everything else gives EPERM, which Python shows as PermissionError; but calls younger than this
# number give ENOSYS, as on a kernel that does not have them: C libraries then take the old way.
FIRST_YOUNG_CALL, LAST_YOUNG_CALL = 435, 520  # clone3 is 435, on every architecture
CLONE_THREAD, CLONE_NEW_ANY = 0x10000, 0x7E020080
O_ACCMODE, O_WRONLY, O_RDWR, O_TRUNC = 3, 1, 2, 0o1000
UNKNOWN = -1  # what libseccomp resolves a name to that it does not know
IOCTLS = {"TCGETS": 0x5401, "TIOCGWINSZ": 0x5413, "FIONREAD": 0x541B, "FIONBIO": 0x5421,
          "FIONCLEX": 0x5450, "FIOCLEX": 0x5451}  # fmt: skip
PRCTLS = {"GET_DUMPABLE": 3, "SET_NAME": 15, "GET_NAME": 16, "GET_SECCOMP": 21, "CAPBSET_READ": 23,
          "GET_NO_NEW_PRIVS": 39, "SET_VMA": 0x53564D41}  # fmt: skip
# F_SETOWN and F_SETSIG would send signals; leases and seals are of no use
FCNTLS = {"DUPFD": 0, "GETFD": 1, "SETFD": 2, "GETFL": 3, "SETFL": 4,
           "DUPFD_CLOEXEC": 1030, "GETPIPE_SZ": 1032}  # fmt: skip


@functools.cache
def program(programs: bool = False) -> tuple[bytes, int]:
    """The BPF program and the number of the ``seccomp`` call on this machine.

    ``programs`` is for a workshop: programs may be run. Raises SandboxUnavailable where libseccomp
    or its Python binding is missing.
    """
    try:
        import pyseccomp as libseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SandboxUnavailable(
            "no sandbox without libseccomp: apt-get install libseccomp2, pip install pyseccomp"
            f" ({error})"
        ) from error
    rules = libseccomp.SyscallFilter(libseccomp.ERRNO(errno.EPERM))
    allowed = [*ALLOWED, *(PROGRAMS if programs else [])]
    known = {name: libseccomp.resolve_syscall(libseccomp.system_arch(), name) for name in allowed}
    for name, number in known.items():
        if number != UNKNOWN:  # an older libseccomp: the call stays denied
            rules.add_rule(libseccomp.ALLOW, name)
    for name, arguments in _conditions(libseccomp, programs):
        rules.add_rule(libseccomp.ALLOW, name, *arguments)
    for number in range(FIRST_YOUNG_CALL, LAST_YOUNG_CALL):
        if number not in known.values():
            rules.add_rule(libseccomp.ERRNO(errno.ENOSYS), number)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read(), libseccomp.resolve_syscall(libseccomp.system_arch(), "seccomp")


def _conditions(libseccomp, programs):
    """(call, conditions) for calls that are allowed with some arguments only."""
    arg, eq, masked = libseccomp.Arg, libseccomp.EQ, libseccomp.MASKED_EQ
    # a new thread (or process), in no new namespace
    kind = 0 if programs else CLONE_THREAD
    yield "clone", [arg(0, masked, kind | CLONE_NEW_ANY, kind)]
    if programs:
        yield "tgkill", [arg(2, eq, signal.SIGSEGV)]  # how a simulator ends a kernel that hangs
    yield "prlimit64", [arg(0, eq, 0)]
    for call, n in (("open", 1), ("openat", 2)):
        # O_TRUNC with O_RDONLY would empty a file that Landlock of old kernels lets one only read
        yield call, [arg(n, masked, O_TRUNC, 0)]
        yield call, [arg(n, masked, O_ACCMODE, O_WRONLY)]
        yield call, [arg(n, masked, O_ACCMODE, O_RDWR)]
    for call, n, values in (("ioctl", 1, IOCTLS), ("prctl", 0, PRCTLS), ("fcntl", 1, FCNTLS)):
        for value in values.values():
            yield call, [arg(n, masked, 0xFFFFFFFF, value)]
