/* Which variants this build has and which of them this processor runs.
 *
 * Owns: the list, the fastest first. Every variant is compiled into every build for its family of
 * processors, whatever machine builds it; what is asked here is asked of the machine that runs.
 * Included with KERNELS, the header that is compiled for each of them: by products.h and spans.h.
 */

#if defined(__x86_64__) && defined(__GNUC__)
#include "avx512.h"
#include "avx2.h"
#define EACH_VARIANT(X) X(avx512) X(avx2)
enum { N_VARIANTS = 2 };

static inline int variant_runs(int i)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    return i == 1
           || (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
               && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               && __builtin_cpu_supports("avx512vnni"));
}

#elif defined(__aarch64__) && defined(__GNUC__) && (defined(__linux__) || defined(__APPLE__)) \
    && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include "neon.h"
#define EACH_VARIANT(X) X(neon)
enum { N_VARIANTS = 1 };

#if defined(__APPLE__)
static inline int variant_runs(int i) { return i == 0; }  /* every processor of Apple's has it */
#else
#include <sys/auxv.h>
static inline int variant_runs(int i)
{
    const unsigned long dot_product = 1ul << 20;  /* HWCAP_ASIMDDP */
    return i == 0 && (getauxval(AT_HWCAP) & dot_product) != 0;
}
#endif

#else
#define EACH_VARIANT(X)
enum { N_VARIANTS = 0 };
static inline int variant_runs(int i) { return (void)i, 0; }
#endif
