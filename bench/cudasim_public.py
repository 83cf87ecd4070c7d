"""Do kernels that nobody here wrote run in the simulator, and does NumPy agree with them?

    python bench/cudasim_public.py CHECKOUT... [--csv FILE]

CHECKOUT: folders that hold karpathy/llm.c (dev/cuda) and NVIDIA/cuda-samples. Each file's device
code is taken as it stands (cudasim_device_code.py), compiled once, and its kernels launched as in
cudasim_public_kernels.py, under the sanitizer and, where that finds nothing, fast as well.
"""

from __future__ import annotations

import argparse
import csv
import sys
from functools import cache, partial
from pathlib import Path

import cudasim_public_kernels as k
import numpy as np
from cudasim_device_code import device_code

import cudasim as cp
from cudasim.geometry import tupled

SOFTMAX = "softmax_forward.cu"
LAYERNORM = "layernorm_forward.cu"
ATTENTION = "attention_forward.cu"
REDUCTION = "reduction_kernel.cu"
BF16 = {"gelu_forward.cu", "residual_forward.cu"}
ROWS = [
    (SOFTMAX, "softmax_forward_kernel1", k.softmax_row(lambda n: 1, 32)),
    (SOFTMAX, "softmax_forward_kernel2", k.softmax_row(lambda n: n, 128, 512)),
    (SOFTMAX, "softmax_forward_kernel3", k.softmax_row(lambda n: n, 32, 128)),
    (SOFTMAX, "softmax_forward_kernel4", k.softmax_row(lambda n: n, 128, 32)),
    (SOFTMAX, "softmax_forward_online_kernel1", k.softmax_row(lambda n: 1, 32)),
    (SOFTMAX, "softmax_forward_online_kernel2", k.softmax_row(lambda n: n // 4, 128)),
    (SOFTMAX, "softmax_forward_kernel7", k.softmax_row(lambda n: n, 128, 32)),
    (SOFTMAX, "softmax_forward_online_kernel8", k.softmax_row(lambda n: n // 4, 128)),
    (LAYERNORM, "layernorm_forward_kernel1", k.layernorm_row(lambda n: n // 64, 64)),
    (LAYERNORM, "layernorm_forward_kernel3", k.layernorm_row(lambda n: n // 4, 128)),
    (LAYERNORM, "layernorm_forward_kernel4", k.layernorm_row(lambda n: n // 4, 128)),
    (LAYERNORM, "layernorm_forward_kernel5", k.layernorm_row(lambda n: n, 128)),
    (LAYERNORM, "layernorm_forward_kernel6", k.layernorm_row(lambda n: n // 4, (32, 4), 6 * 512)),
    (ATTENTION, "attention_query_key_kernel1", k.query_key),
    (ATTENTION, "attention_softmax_kernel1", k.attention_softmax),
    (ATTENTION, "attention_value_kernel1", k.attention_value),
    (ATTENTION, "attention_forward_kernel2", k.flash),
    (ATTENTION, "attention_forward_fused1", k.attention_fused),
    (ATTENTION, "softmax_forward_kernel4", k.softmax_row(lambda n: n, 128, 32)),
    (ATTENTION, "softmax_forward_kernel5", k.causal_softmax5),
    (ATTENTION, "permute_kernel", k.permute),
    ("gelu_forward.cu", "gelu_forward_kernel1", k.elementwise(k.gelu, 1, 1)),
    ("gelu_forward.cu", "gelu_forward_kernel2", k.elementwise(k.gelu, 1, 8)),
    ("residual_forward.cu", "residual_forward_kernel1", k.elementwise(np.add, 2, 1)),
    ("residual_forward.cu", "residual_forward_kernel2", k.elementwise(np.add, 2, 8)),
    ("crossentropy_forward.cu", "crossentropy_forward_kernel1", k.crossentropy),
    ("matmul_forward.cu", "matmul_forward_kernel1", k.matmul(1)),
    ("matmul_forward.cu", "matmul_forward_kernel4", k.matmul(4)),
    ("vectorAdd.cu", "vectorAdd", k.vector_add),
    ("matrixMul.cu", "MatrixMulCUDA<16>", k.matrix_mul(16)),
    ("matrixMul.cu", "MatrixMulCUDA<32>", k.matrix_mul(32)),
    ("transpose.cu", "copySharedMem", k.transpose(False)),
    ("transpose.cu", "transposeNaive", k.transpose(True)),
    ("transpose.cu", "transposeCoalesced", k.transpose(True)),
    ("transpose.cu", "transposeNoBankConflicts", k.transpose(True)),
    ("transpose.cu", "transposeDiagonal", k.transpose(True)),
    (REDUCTION, "reduce0<float>", k.reduction(128, 128, 512)),
    (REDUCTION, "reduce1<float>", k.reduction(128, 128, 512)),
    (REDUCTION, "reduce2<float>", k.reduction(128, 128, 512)),
    (REDUCTION, "reduce3<float>", k.reduction(128, 256, 512)),
    (REDUCTION, "reduce4<float, 128>", k.reduction(128, 256, 512)),
    (REDUCTION, "reduce5<float, 128>", k.reduction(128, 256, 512)),
    (REDUCTION, "reduce6<float, 128, true>", k.reduction(128, 256, 512)),
    (REDUCTION, "reduce7<float, 128, true>", k.reduction(128, 256, 512)),
    (REDUCTION, "cg_reduce<float>", k.reduction(128, 128, 512)),
    ("threadFenceReduction_kernel.cuh", "reduceMultiPass<128, true>", k.reduction(128, 256, 512)),
    ("threadFenceReduction_kernel.cuh", "reduceSinglePass<128, true>", k.single_pass),
    ("histogram256.cu", "histogram256Kernel", k.histogram),
    ("histogram64.cu", "histogram64Kernel", k.histogram64),
    ("scalarProd_kernel.cuh", "scalarProdGPU", k.scalar_products),
    ("fp16ScalarProduct.cu", "scalarProductKernel_intrinsics", k.half_products),
    ("fp16ScalarProduct.cu", "scalarProductKernel_native", k.half_products),
    ("scan.cu", "scanExclusiveShared", k.scan(1024)),
    ("shfl_scan.cu", "shfl_scan_test", k.shuffle_scan),
    ("fastWalshTransform_kernel.cuh", "fwtBatch1Kernel", k.walsh),
    ("BlackScholes_kernel.cuh", "BlackScholesGPU", k.black_scholes),
    ("bitonicSort.cu", "bitonicSortShared", k.sort((np.uint32(1024), np.uint32(1)))),
    ("oddEvenMergeSort.cu", "oddEvenMergeSortShared", k.sort((np.uint32(1024), np.uint32(1)))),
    ("simpleAtomicIntrinsics_kernel.cuh", "testKernel", k.atomics),
    ("warpAggregatedAtomicsCG.cu", "calculateMaxInEachBuckets", k.buckets_max),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    find = partial(locate, tuple(options.checkouts))
    rows = [run(find, *row) for row in ROWS]
    for file, kernel, result, checked, note in rows:
        print(f"{file:36} {kernel:34} {result:12} {checked:14} {note}")
    right, lockstep = (sum(r[2] == word for r in rows) for word in ("right", "lockstep"))
    clean = sum(r[3] == "clean" for r in rows)
    print(f"{right} of {len(rows)} agree with NumPy; {clean} are clean under the sanitizer")
    print(f"{lockstep} agree only where the lanes of a warp move together, which they do not say")
    print("a kernel with a finding may compute anything: its threads run in turn here")
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(["file", "kernel", "result", "sanitizer", "note"])
            writer.writerows(rows)
    if any(r[2] == "fails" or (r[3] == "clean" and r[2] != "right") for r in rows):
        sys.exit(1)


@cache
def locate(checkouts: tuple[Path, ...], file: str) -> Path:
    """The file in the checkouts; llm.c's before others of the same name."""
    found = [p for c in checkouts for p in sorted(c.rglob(file)) if "nvrtc" not in p.parent.name]
    if not found:
        raise FileNotFoundError(f"{file}: not in {', '.join(map(str, checkouts))}")
    return next((p for p in found if "dev/cuda" in p.as_posix()), found[0])


@cache
def module(path: Path) -> cp.RawModule:
    wanted = tuple(name for file, name, _ in ROWS if file == path.name)
    return cp.RawModule(code=device_code(path), name_expressions=wanted)


def run(find, file: str, kernel: str, make) -> tuple[str, str, str, str, str]:
    """One kernel, fast and checked; what came out beside what NumPy says."""
    try:
        function = module(find(file)).get_function(kernel)
        launch = make()
        args = given(launch)
        report = cp.check(function, launch.grid, launch.block, args, shared_mem=launch.shared)
        if report.clean:  # what is not could write anywhere
            args = given(launch)
            function(tupled(launch.grid), tupled(launch.block), args, shared_mem=launch.shared)
    except (cp.CudasimError, FileNotFoundError) as problem:
        return file, kernel, "fails", "", " ".join(str(problem).split())[:160]
    result = judged(launch, args, file in BF16)
    if result != "right" and not report.clean:
        result = in_lockstep(function, launch, result)
    checked = "clean" if report.clean else ",".join(report.kinds)
    note = "" if report.clean else report.findings[0].message
    return file, kernel, result, checked, note


def judged(launch: k.Launch, args: list, is_bfloat: bool = False) -> str:
    """ "right", or how far the worst result is off."""
    result = "right"
    for i, (want, tolerance) in launch.want.items():
        got = args[i].get().ravel()[: want.size].reshape(want.shape)
        if is_bfloat:
            got = (got.astype(np.uint32) << 16).view(np.float32)
        result = compare(got, want, tolerance, result)
    return result


def in_lockstep(function, launch: k.Launch, before: str) -> str:
    """Does it come out right where the lanes of a warp move together, as the kernel relies on?"""
    args = given(launch)
    cp.check(function, launch.grid, launch.block, args, shared_mem=launch.shared, lockstep=True)
    return "lockstep" if judged(launch, args) == "right" else before


def given(launch: k.Launch) -> list:
    """The arguments on the device; NaN stands for memory that nobody wrote."""
    return [
        cp.empty(a.shape, a.dtype) if isinstance(a, np.ndarray) and a.size and is_fresh(a)
        else cp.asarray(a) if isinstance(a, np.ndarray) else a
        for a in launch.args
    ]  # fmt: skip


def is_fresh(a: np.ndarray) -> bool:
    return a.dtype.kind == "f" and bool(np.isnan(a).all())


def compare(got: np.ndarray, want: np.ndarray, tolerance: float, before: str) -> str:
    both = np.isfinite(want)
    scale = np.abs(want[both]).max(initial=1.0)
    known = want != 0 if tolerance == 0.0 and want.size == 11 else np.ones(want.shape, bool)
    use = both & known
    off = np.abs(got.astype(np.float64)[use] - want[use]).max(initial=0.0) / scale
    if not off <= tolerance or not np.array_equal(np.isfinite(got)[known], both[known]):
        return f"off {off:.2g}"
    return before if before != "right" else "right"


if __name__ == "__main__":
    main()
