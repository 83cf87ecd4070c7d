/* Attention's two products by the first variant against plain loops in the order of spans.pyx.
 *
 * Rows, keys and widths of any number, floats and halves, from a generator of its own. Prints how
 * many of the cases differ in a bit; exits with 1 where one does.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "simd/halves.h"
#include "simd/spans.h"

enum { SPAN = 64, MOST_ROWS = 9, WIDEST = 256 };

static uint32_t state = 1;

static float number(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(int32_t)state * 0x1p-30f;
}

static float score(const float *q, const float *k, ptrdiff_t width)
{
    float lane[16] = {0};
    for (ptrdiff_t e = 0; e < width; e++) lane[e % 16] = fmaf(q[e], k[e], lane[e % 16]);
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

static int differs(const Products *products, int halves, ptrdiff_t n_rows, ptrdiff_t n_keys,
                   ptrdiff_t width)
{
    static float q[MOST_ROWS * WIDEST], k[SPAN * WIDEST], got[MOST_ROWS * WIDEST];
    static float p[MOST_ROWS * SPAN + 16];
    static uint16_t half[SPAN * WIDEST];
    const float *rows[SPAN];
    const void *stored[SPAN];
    int bad = 0;
    for (ptrdiff_t i = 0; i < n_rows * width; i++) q[i] = number();
    for (ptrdiff_t i = 0; i < n_keys * width; i++) k[i] = number();
    if (halves) {  /* whole vectors: every width is a multiple of 16 */
        floats_to_halves(k, half, n_keys * width);
        halves_to_floats(half, k, n_keys * width);
    }
    for (ptrdiff_t j = 0; j < n_keys; j++) {
        rows[j] = k + j * width;
        stored[j] = halves ? (const void *)(half + j * width) : rows[j];
    }
    products->scores(q, n_rows, width, stored, stored, n_keys, p, SPAN);
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t j = 0; j < n_keys; j++)
            bad += p[r * SPAN + j] != score(q + r * width, rows[j], width);
    products->gather(p, n_rows, SPAN, stored, stored, n_keys, got, width);
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t e = 0; e < width; e++) {
            float sum = 0;
            for (ptrdiff_t j = 0; j < n_keys; j++) sum = fmaf(p[r * SPAN + j], rows[j][e], sum);
            bad += got[r * width + e] != sum;
        }
    return bad != 0;
}

int main(void)
{
    int n_cases = 0, n_bad = 0;
    if (!variant_runs(0)) return puts("no variant that runs"), 2;
    for (ptrdiff_t width = 16; width <= WIDEST; width += 48)
        for (ptrdiff_t n_rows = 1; n_rows <= MOST_ROWS; n_rows++)
            for (ptrdiff_t n_keys = 1; n_keys <= SPAN; n_keys += 7, n_cases += 2) {
                n_bad += differs(&SPANS[0].floats, 0, n_rows, n_keys, width);
                n_bad += differs(&SPANS[0].halves, 1, n_rows, n_keys, width);
            }
    printf("%s, attention: %d cases, %d differ\n", SPANS[0].name, n_cases, n_bad);
    return n_bad != 0;
}
