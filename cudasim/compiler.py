"""g++ or clang++, and the folder where what they made is kept.

Owns: finding a compiler, its flags, the cache, the runtime's objects, which symbols a kernel may
ask for. Must not know: what is in a source (translation.py) or in a library (library.py).
A library is kept under the hash of all that it depends on: text, headers, runtime, flags, compiler.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cudasim.diagnostics as diagnostics
from cudasim.errors import CompileException, CompilerMissing

HERE = Path(__file__).resolve().parent
RUNTIME = {"fast": ["scheduler", "unwatched"], "checked": ["scheduler", "sanitizer", "counters"]}
# What a linked kernel may take from outside: C's mathematics and what compilers call unasked.
ALLOWED = re.compile(
    r"mem(cpy|move|set|cmp)|_+(stack_chk_\w+|cxa_finalize|cxa_atexit|gmon_start__|dso_handle"
    r"|tls_get_addr|errno_location|isoc99\w+|\w*(div|mul|mod|ashl|lshr)[a-z]*[dt]i3"
    r"|(popcount|clz|ctz|ffs|bswap|parity)[sdt]i2)|_ITM_\w+"
    r"|bcmp|bzero|vsnprintf|snprintf|mmap(64)?|munmap|mprotect|clock_gettime|madvise"
    r"|(get|make|swap)context|calloc|realloc|malloc|free|qsort"
)
# What both compilers call the code that makes variables when a library is loaded.
INITIALISER = re.compile(r" (_?_GLOBAL__sub_[ID]_|__cxx_global_var_init)")
VARIABLE = re.compile(r"\b__(?:device|constant|managed)__\s[^;{}()=]*?([;={(])")  # or, "(", no such


def compiler() -> str:
    """The C++ compiler's path: $CUDASIM_CXX, g++, clang++ or c++; raises CompilerMissing."""
    wanted = os.environ.get("CUDASIM_CXX")
    for name in [wanted] if wanted else ["g++", "clang++", "c++"]:
        found = shutil.which(name)
        if found:
            return found
    raise CompilerMissing(
        f"{wanted or 'g++'}: no C++ compiler found, and cudasim compiles kernels with one. "
        "Debian and Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; "
        "macOS: xcode-select --install; conda: conda install gxx"
    )


@functools.lru_cache
def is_clang(path: str) -> bool:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return "clang" in said.stdout


@functools.lru_cache
def gcc_version(path: str) -> int:
    """The major version of gcc, 0 of clang."""
    said = subprocess.run([path, "-dumpversion"], capture_output=True, text=True, check=False)
    return 0 if is_clang(path) else int(said.stdout.split(".")[0] or 0)


def cache_folder() -> Path:
    """$CUDASIM_CACHE, the user's cache folder, or a folder for temporary files; made if missing."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    wanted = [os.environ.get("CUDASIM_CACHE"), os.path.join(home, "cudasim")]
    for folder in [
        *filter(None, wanted),
        os.path.join(tempfile.gettempdir(), f"cudasim-{os.getuid()}"),
    ]:
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if os.access(folder, os.W_OK) and os.stat(folder).st_uid == os.getuid():
                return Path(folder)
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="cudasim-"))


@functools.lru_cache
def has_v3() -> bool:
    """True where the processor has AVX2, FMA and F16C: a GPU contracts a * b + c, and so can it."""
    try:
        flags = set(
            Path("/proc/cpuinfo")
            .read_text(encoding="utf-8")
            .split("flags", 1)[1]
            .split("\n")[0]
            .split()
        )
    except (OSError, IndexError):
        return False
    return {"avx2", "fma", "f16c", "bmi2"} <= flags and platform.machine() in ("x86_64", "AMD64")


def flags(cxx: str, *, checked: bool) -> list[str]:
    """What kernels are compiled with, besides their own -D."""
    common = [
        *("-std=gnu++17", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti"),
        *("-fno-threadsafe-statics", "-fno-math-errno", "-ffp-contract=fast", "-g1"),
        *PLAIN_CALLS,
        *(
            "-fno-strict-aliasing",
            "-fno-delete-null-pointer-checks",
            "-fno-finite-loops",
            "-fno-optimize-sibling-calls",
            "-ftemplate-depth=200",
            "-Werror=vla",
        ),
    ]
    common += ["-march=x86-64-v3"] if has_v3() else []
    common += [] if is_clang(cxx) else ["-fno-gnu-unique", "-fno-ipa-reference"]
    if platform.machine() in ("x86_64", "AMD64"):
        common.append("-fcf-protection=none")
    if not checked:
        return [*common, "-O2"]
    sanitize = "-fsanitize=thread,bounds,alignment,integer-divide-by-zero"
    plain = ["-fno-inline-small-functions", "-fno-thread-jumps", "-fno-tree-sink", "-fno-tree-sra"]
    if gcc_version(cxx) >= 11:
        plain.append("--param=tsan-instrument-func-entry-exit=0")
    if is_clang(cxx):  # it would leave out the read of x += 1
        plain = ["-mllvm", "-tsan-instrument-read-before-write"]
    return [
        *(*common, "-O1", "-DCUDASIM_CHECKED=1", sanitize, "-fsanitize-coverage=trace-pc"),
        *plain,
    ]


# Ubuntu's compilers put checked calls (__memcpy_chk, __vsnprintf_chk) in the place of C's own;
# a kernel may ask for none of these.
PLAIN_CALLS = ("-U_FORTIFY_SOURCE",)
HOST = ["-std=gnu++17", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti"]
HOST += PLAIN_CALLS


def host_flags() -> list[str]:
    """What the runtime is compiled with; CUDASIM_FIBERS=ucontext takes the portable switch."""
    portable = os.environ.get("CUDASIM_FIBERS") == "ucontext"
    return [*HOST, "-DCUDASIM_UCONTEXT"] if portable else HOST


ISOLATED = ["-nostdinc", "-nostdinc++", "-include", "cudasim.h", "-include", "poison.h"]


@functools.lru_cache
def fingerprint(cxx: str) -> str:
    """A hash of compiler, headers and runtime: when one changes, everything is compiled anew."""
    real = os.stat(os.path.realpath(cxx))
    machine = f"{real.st_size} {real.st_mtime_ns} {platform.machine()} {' '.join(HOST)}"
    h = hashlib.sha256(f"{cxx} {machine}".encode())
    for path in sorted([*HERE.glob("include/*.h"), *HERE.glob("runtime/*")]):
        h.update(path.name.encode() + path.read_bytes())
    return h.hexdigest()


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "C"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False,
        errors="replace", stdin=subprocess.DEVNULL,
    )  # fmt: skip


def build(text: str, source: str, *, checked: bool) -> Path:
    """Compiles ``text``, translated from ``source``, unless the cache has it; returns the library.

    Raises CompileException with the source's lines, CompilerMissing.
    """
    cxx = compiler()
    command = [cxx, *flags(cxx, checked=checked), *ISOLATED, "-I", str(HERE / "include")]
    key = "\0".join([fingerprint(cxx), *host_flags(), *command, text])
    target = cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"
    if target.exists():
        return target
    runtime = runtime_object(cxx, "checked" if checked else "fast")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as name:
        folder = Path(name)
        (folder / "kernel.cu").write_text(text, encoding="utf-8")
        plain = ["-fdiagnostics-color=never", "-fno-diagnostics-show-caret"]
        plain = plain[:1] if is_clang(cxx) else plain
        made = run([*command, *plain, "-c", "-x", "c++", "kernel.cu", "-o", "k.o"], folder)
        if made.returncode:
            raise diagnostics.explain(made.stderr, source)
        refuse_initialisers(folder, source)
        link = [cxx, "-shared", "k.o", str(runtime), "-lm", "-o", "k.so"]
        linked = run(link, folder)
        if linked.returncode:
            raise CompileException(f"the kernel does not link:\n{linked.stderr[-2000:]}")
        refuse_foreign(folder, source)
        os.replace(folder / "k.so", target)
    return target


def refuse_initialisers(folder: Path, source: str) -> None:
    """Raises where variables of the module would be made by code.

    It would run when the library is loaded, before a launch and its guards, and CUDA has no such
    variables.
    """
    nm = shutil.which("nm")
    said = run([nm, "k.o"], folder).stdout if nm else ""
    if not INITIALISER.search(said):
        return
    declared = [m for m in VARIABLE.finditer(source) if m[1] != "("]
    line = source.count("\n", 0, declared[0].start()) + 1 if len(declared) == 1 else 0
    message = "dynamic initialization is not supported for a __device__ variable"
    where = f"kernel.cu({line})" if line else "kernel.cu"
    raise CompileException(f"{where}: error: {message}", ((line, 0, message),))


def refuse_foreign(folder: Path, source: str) -> None:
    """Raises where the kernel calls a function that is not a device function."""
    nm = shutil.which("nm")
    said = (
        run([nm, "-D" if sys.platform == "linux" else "-g", "-u", "k.so"], folder) if nm else None
    )
    for line in said.stdout.splitlines() if said else []:
        name = line.split()[-1].split("@")[0]
        name = name[1:] if sys.platform == "darwin" else name
        if not ALLOWED.fullmatch(name) and not is_mathematics(name):
            uses = list(re.finditer(rf"\b{re.escape(plain_name(name))}\b", source))
            line_at = source.count("\n", 0, uses[-1].start()) + 1 if uses else 0
            message = (
                f'calling a __host__ function("{plain_name(name)}") from device code is not allowed'
            )
            raise CompileException(
                f"kernel.cu({line_at}): error: {message}", ((line_at, 0, message),)
            )


@functools.lru_cache
def mathematics() -> frozenset[str]:
    words = re.findall(
        r"\b[a-z]\w+(?=\()", (HERE / "include" / "math.h").read_text(encoding="utf-8")
    )
    return frozenset(words)


def is_mathematics(name: str) -> bool:
    return name.removeprefix("__").removesuffix("_finite") in mathematics() or name == "sincosf"


def plain_name(symbol: str) -> str:
    m = re.match(r"_Z(\d+)", symbol)
    return symbol[m.end() : m.end() + int(m.group(1))] if m else symbol


def runtime_object(cxx: str, kind: str) -> Path:
    """The runtime as one object file, compiled once for each compiler and kind."""
    portable = "" if host_flags() == HOST else "-ucontext"
    made = cache_folder() / f"runtime-{kind}{portable}-{fingerprint(cxx)[:24]}.o"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=made.parent, prefix="build-") as name:
            files = [str(HERE / "runtime" / f"{f}.cpp") for f in RUNTIME[kind]]
            objects = []
            for i, file in enumerate(files):
                objects.append(f"{i}.o")
                compiled = run([cxx, *host_flags(), "-c", file, "-o", objects[-1]], Path(name))
                if compiled.returncode:
                    raise CompileException(
                        f"the runtime does not compile:\n{compiled.stderr[-2000:]}"
                    )
            run([cxx, "-r", "-nostdlib", *objects, "-o", "runtime.o"], Path(name))
            os.replace(Path(name, "runtime.o"), made)
    return made


def guard_library() -> Path:
    """The library with the signal handlers, compiled once."""
    cxx = compiler()
    made = cache_folder() / f"guard-{fingerprint(cxx)[:24]}.so"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=made.parent, prefix="build-") as name:
            file = str(HERE / "runtime" / "guard.cpp")
            compiled = run([cxx, *HOST, "-shared", file, "-o", "g.so", "-pthread"], Path(name))
            if compiled.returncode:
                raise CompileException(f"the guard does not compile:\n{compiled.stderr[-2000:]}")
            os.replace(Path(name, "g.so"), made)
    return made
