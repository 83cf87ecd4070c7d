"""RawKernel and RawModule, with CuPy's names and its habits.

Owns: the classes that a student calls. A kernel is compiled when it is first needed, as in CuPy.
Read translation.py, compiler.py and launching.py for what happens then.
"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Sequence

import numpy as np

import cudasim.checking as checking
import cudasim.compiler as compiler
import cudasim.geometry as geometry
import cudasim.launching as launching
import cudasim.library as library
import cudasim.source as source
import cudasim.translation as translation
from cudasim.arrays import asarray, ndarray
from cudasim.errors import CompileException, CUDADriverError, CudasimError
from cudasim.library import Library, Param
from cudasim.report import Report

IGNORED = re.compile(
    r"-{1,2}(std|use_fast_math|lineinfo|generate-line-info|maxrregcount|arch|gpu-architecture|fmad"
    r"|ftz|prec-div|prec-sqrt|extra-device-vectorization|restrict|Xptxas|device-debug|G|w)(=.*)?"
)


@functools.lru_cache(maxsize=256)
def built(
    code: str, names: tuple[str, ...], defines: tuple[tuple[str, str], ...], checked: bool
) -> Library:
    """The library of a source, compiled where it is not in the cache."""
    parsed = source.read(code)
    text = translation.translate(parsed, names, defines, checked=checked)
    path = compiler.build(text, code, checked=checked)
    return library.load(path, len(parsed.kernels) + len(names))


def define_options(options: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The -D among nvcc's options; those about code mean nothing here, others are refused."""
    kept = []
    for option in options:
        m = re.fullmatch(r"(?:-D|--define-macro=)(\w+(?:\([\w, ]*\))?)(?:=([^\n]*))?", option)
        if m:
            kept.append((m.group(1), "1" if m.group(2) is None else m.group(2)))
        elif not IGNORED.fullmatch(option):
            raise CudasimError(f"option {option!r}: the simulator knows -D and nvcc's code options")
    return tuple(kept)


class RawModule:
    """CUDA C++ source with any number of kernels.

    ``name_expressions``: template instances to be had from ``get_function``, ``"k<float, 4>"``.
    Raises CompileException at the first use, with the source's own lines.
    """

    def __init__(
        self, *, code: str, options: Sequence[str] = (), backend: str = "nvrtc",
        name_expressions: Sequence[str] | None = None, **ignored,
    ) -> None:  # fmt: skip
        if not isinstance(code, str):
            raise TypeError(f"code must be str, got {type(code).__name__}")
        self.code = code
        self.options = tuple(options)
        self.backend = backend
        self.name_expressions = tuple(name_expressions or ())
        self._defines = define_options(self.options)

    @functools.cached_property
    def source(self) -> source.Source:
        return source.read(self.code)

    def names(self) -> tuple[str, ...]:
        """What can be launched: plain kernels, and the named instances of templates."""
        plain = tuple(k.name for k in self.source.kernels if not k.is_template)
        return tuple(dict.fromkeys((*plain, *self.name_expressions)))

    def library(self, *, checked: bool = False) -> Library:
        """The compiled library, in its fast or its checked build."""
        try:
            return built(self.code, self.names(), self._defines, checked)
        except CompileException:
            if checked:  # the fast build has the source's own columns on every line
                built(self.code, self.names(), self._defines, False)
            raise

    def compile(self, log_stream=None) -> None:
        """Compiles now; otherwise that happens at the first launch."""
        self.library()

    def get_function(self, name: str) -> RawKernel:
        """The kernel of that name."""
        return RawKernel._of(self, name)

    def get_global(self, name: str) -> ndarray:
        """A __device__ or __constant__ variable as an array of bytes, which may be written.

        On a GPU this is a pointer to wrap in an array; here ``view(dtype)`` does the same.
        """
        found = [v for v in self.library().copies[0].variables if v.name == name]
        if not found:
            raise CUDADriverError(f"named symbol not found: no variable {name!r} in the source")
        return Variable(self.library(), found[0])


class Variable(ndarray):
    """A variable of a module as bytes: written to every copy of it."""

    def __init__(self, loaded: Library, variable: library.Variable, host=None) -> None:
        held = (ctypes.c_uint8 * variable.n_bytes).from_address(variable.address)
        host = np.frombuffer(held, np.uint8) if host is None else host
        super().__init__((), _host=host, _in_place=True)
        self._loaded, self._variable = loaded, variable

    def _view(self, host: np.ndarray) -> ndarray:
        inside = np.may_share_memory(host, self._host)
        return Variable(self._loaded, self._variable, host) if inside else super()._view(host)

    def set(self, values) -> None:
        """Copies values of the host into the variable, in all copies of the module."""
        self[...] = values

    def fill(self, value) -> None:
        self[...] = value

    def __setitem__(self, at, value) -> None:
        super().__setitem__(at, value)
        self._loaded.spread(self._variable)


class RawKernel:
    """One kernel: ``RawKernel(code, name)`` compiles, ``k(grid, block, args)`` launches.

    ``max_dynamic_shared_size_bytes`` may be set, as in CuPy, for more than 48 KB of shared memory.
    """

    def __init__(
        self, code: str, name: str, options: Sequence[str] = (), backend: str = "nvrtc", **ignored
    ) -> None:
        self._start(RawModule(code=code, options=options, backend=backend), name)

    @classmethod
    def _of(cls, module: RawModule, name: str) -> RawKernel:
        kernel = cls.__new__(cls)
        kernel._start(module, name)
        return kernel

    def _start(self, module: RawModule, name: str) -> None:
        self.module = module
        self.name = name
        self.max_dynamic_shared_size_bytes = geometry.STATIC_SHARED_BYTES

    @property
    def attributes(self) -> dict[str, int]:
        """What CUDA tells of a kernel, as far as it means something here (bytes; -1: not known).

        Registers and spills are a real GPU's: ``cudasim.nvrtc.judge`` has them.
        """
        loaded = self.module.library()
        self.params(loaded)
        copy = loaded.copies[0]
        constant = sum(v.n_bytes for v in copy.variables if v.space == "c")
        return {
            "max_threads_per_block": copy.kernels[self.name].max_threads,
            "shared_size_bytes": loaded.static_shared_bytes(self.name),
            "const_size_bytes": constant,
            "local_size_bytes": -1,
            "num_regs": -1,
            "max_dynamic_shared_size_bytes": self.max_dynamic_shared_size_bytes,
        }

    max_threads_per_block = property(lambda self: self.attributes["max_threads_per_block"])
    shared_size_bytes = property(lambda self: self.attributes["shared_size_bytes"])
    num_regs = property(lambda self: self.attributes["num_regs"])

    code = property(lambda self: self.module.code)
    options = property(lambda self: self.module.options)
    backend = property(lambda self: self.module.backend)

    def compile(self, log_stream=None) -> None:
        """Compiles now; otherwise that happens at the first launch."""
        self.module.library()

    def params(self, loaded: Library) -> tuple[Param, ...]:
        """The kernel's parameters; raises CUDADriverError where the module has no such kernel."""
        row = loaded.copies[0].kernels.get(self.name)
        found = {k.name: k for k in self.module.source.kernels}
        base = found.get(self.name.split("<")[0])
        if row is None or base is None:
            have = ", ".join(self.module.names()) or "none"
            how = f"; RawModule(code=..., name_expressions=({self.name!r},)) makes an instance"
            raise CUDADriverError(
                f"named symbol not found: no kernel {self.name!r} in the source, it has: {have}"
                f"{how if base is not None and base.is_template else ''}"
            )
        if not base.is_extern_c and self.name not in self.module.name_expressions:
            raise CUDADriverError(
                f'named symbol not found: {self.name!r} (line {base.line}) is not extern "C", so '
                f'its name is mangled; write extern "C" __global__',
                base.line,
            )
        names = base.params if len(base.params) == row.n_params else ("?",) * row.n_params
        return tuple(
            Param(
                names[i], p.kind.decode(), p.element.decode(), p.is_const != b"\0", p.size,
                p.element_size, p.component_size,
            )
            for i, p in enumerate(row.params[: row.n_params])
        )  # fmt: skip

    def __call__(self, grid, block, args, *, shared_mem: int = 0, stream=None) -> None:
        """Launches the kernel and waits for it.

        ``grid`` and ``block``: tuples of one to three sizes, x first. ``args``: arrays of cudasim
        and scalars of NumPy. ``shared_mem``: bytes of dynamic shared memory. Raises LaunchError,
        CUDADriverError.
        """
        mode = launching.settings().mode
        if mode != "fast":
            checking.launch_watched(self, grid, block, args, shared_mem, mode)
            return
        loaded = self.module.library()
        params = self.params(loaded)
        row = loaded.copies[0].kernels[self.name]
        sizes = geometry.geometry(
            grid, block, shared_mem, self.max_dynamic_shared_size_bytes, row.max_threads,
            loaded.static_shared_bytes(self.name),
        )  # fmt: skip
        packed = geometry.pack(self.name, params, args)
        launching.run(self.name, loaded, sizes, packed)
        for p, a in zip(params, args, strict=True):
            if isinstance(a, ndarray) and not p.is_const:
                a._changed()


def check(
    kernel, grid, block, args: Sequence, *, shared_mem: int = 0,
    sanitize: bool = True, profile: bool = True, lockstep: bool = False,
) -> Report:  # fmt: skip
    """Launches once, watched, and returns what was seen; findings do not raise.

    ``grid`` and ``block`` may be plain numbers. ``kernel``: a RawKernel of cudasim, or of CuPy with
    CuPy's arrays: then copies are simulated and the GPU's arrays stay as they are. Otherwise as a
    kernel's own call. Raises CompileException,
    LaunchError, and TimeLimit; a failed assert is a finding of kind "fault".
    ``lockstep``: threads take turns at every piece of straight code, as the lanes of a warp mostly
    do on a GPU, so that a kernel which relies on that without saying so (a race, found all the
    same) computes what it would there.
    """
    if not isinstance(kernel, RawKernel):
        limit = getattr(kernel, "max_dynamic_shared_size_bytes", geometry.STATIC_SHARED_BYTES)
        name, expressions = in_source(kernel)
        module = RawModule(code=kernel.code, options=kernel.options, name_expressions=expressions)
        kernel = module.get_function(name)
        kernel.max_dynamic_shared_size_bytes = limit
        args = [asarray(a.get()) if hasattr(a, "get") and hasattr(a, "shape") else a for a in args]
    grid, block = geometry.tupled(grid), geometry.tupled(block)
    return checking.watched(
        kernel,
        grid,
        block,
        args,
        shared_mem,
        sanitize=sanitize,
        profile=profile,
        lockstep=lockstep,
    )


def in_source(kernel) -> tuple[str, tuple[str, ...]]:
    """(what the source calls a kernel of either library, the instances that its module names).

    CuPy's kernel of a template goes by its mangled name; which template that is stands in it, which
    instance does not in a way that can be read, so a module with two of one is a CudasimError.
    """
    if isinstance(kernel, RawKernel):
        return kernel.name, kernel.module.name_expressions
    state = kernel.__getstate__() if hasattr(kernel, "__getstate__") else None
    expressions = tuple((state.get("name_expressions") or ()) if isinstance(state, dict) else ())
    mangled = re.match(r"_Z(\d+)", kernel.name)
    if not mangled or kernel.name in expressions:
        return kernel.name, expressions
    base = kernel.name[mangled.end() :][: int(mangled.group(1))]
    found = [e for e in expressions if e.split("<")[0].split("::")[-1].strip() == base]
    if len(found) != 1:
        raise CudasimError(
            f"{kernel.name}: {len(found)} instances of {base} in its module's name_expressions, "
            "want one in a module"
        )
    return found[0], expressions
