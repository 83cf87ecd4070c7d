/* Which variants this build has and which of them this processor runs.
 *
 * Owns: the list, the fastest first. Every variant is compiled into every build of its processor's
 * family, whatever machine builds it; what is asked here is asked of the machine that runs.
 */
#include "layout.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include "avx512.h"
#include "avx2.h"
static const Variant VARIANTS[] = {
    {"avx512", interleave_avx512, quantize_avx512, kernels_avx512, read_avx512, dots_avx512},
    {"avx2", interleave_avx2, quantize_avx2, kernels_avx2, read_avx2, dots_avx2},
};

static int variant_runs(int i)
{
    __builtin_cpu_init();
    return i == 0 ? __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")
                        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                  : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                        && __builtin_cpu_supports("f16c");
}
enum { N_VARIANTS = sizeof VARIANTS / sizeof VARIANTS[0] };
#else
static const Variant VARIANTS[1];
static int variant_runs(int i) { return (void)i, 0; }
enum { N_VARIANTS = 0 };
#endif
