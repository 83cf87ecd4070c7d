/* The other end of cross.py: reads cases from a file, computes them by the first variant, compares.
 *
 * A case is eight int64: id, rows (whole strips), n, tokens (at most 16), bytes a row, and three
 * zeros; then the rows, x float32 (tokens, n), the groups wanted, and the products wanted float32
 * (tokens, rows). Prints a line for each case that differs; exits with 1 where one does.
 */
#include <stdio.h>
#include <stdlib.h>

#include "simd/products.h"

static void *take(FILE *f, size_t n)
{
    void *p = aligned_alloc(64, (n + 127) / 64 * 64);
    if (!p || fread(p, 1, n, f) != n) exit((perror("cases"), 2));
    return p;
}

static int differ(const float *got, const float *want, size_t n)
{
    int found = 0;
    for (size_t i = 0; i < n; i++) found += !(got[i] == want[i]);
    return found;
}

int main(int argc, char **argv)
{
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    const Variant *v = &VARIANTS[0];
    int64_t h[8], n_cases = 0, n_bad = 0;
    if (!f || !variant_runs(0)) return puts("no file, or no variant that runs"), 2;
    while (fread(h, sizeof h, 1, f) == 1) {
        int64_t id = h[0], n_rows = h[1], n = h[2], n_tokens = h[3], row_bytes = h[4], cut = 0;
        while (CUTS[cut].id != id) cut++;
        const StripKernels *k = &v->formats[cut];
        const Cut *c = &CUTS[cut];
        int64_t n_groups = n / GROUP_SIZE, n_blocks = n / c->block_size;
        uint8_t *rows = take(f, n_rows * row_bytes);
        float *x = take(f, 4 * n_tokens * n);
        Group *groups = take(f, sizeof(Group) * n_tokens * n_groups);
        float *want = take(f, 4 * n_tokens * n_rows);
        Group *made = calloc(n_tokens * n_groups, sizeof(Group));
        uint8_t *strip = malloc(STRIP_ROWS * row_bytes + 64);
        Panel *panel = aligned_alloc(64, sizeof(Panel));
        int64_t bad = 0;
        for (int64_t t = 0; t < n_tokens; t++)
            v->quantize(x + t * n, n_groups, made + t, n_tokens);
        for (int64_t i = 0; i < n_tokens * n_groups; i++) made[i].unused = groups[i].unused;
        bad += memcmp(made, groups, sizeof(Group) * n_tokens * n_groups) != 0;
        for (int64_t s = 0; s < n_rows / STRIP_ROWS; s++) {
            for (int way = n_tokens > v->few; way < 2; way++) {
                float acc[TILE_TOKENS * STRIP_ROWS] = {0};
                v->interleave(c, rows + s * STRIP_ROWS * row_bytes, row_bytes, n_blocks, strip);
                if (way == 0) {
                    k->times(strip, n_blocks, groups, (int)n_tokens, acc);
                } else {
                    for (int64_t g = 0; g < n_groups; g += PANEL_GROUPS) {
                        int64_t m = n_groups - g < PANEL_GROUPS ? n_groups - g : PANEL_GROUPS;
                        int64_t per_block = c->block_size / GROUP_SIZE;
                        const uint8_t *at = strip + g / per_block * STRIP_ROWS * c->block_bytes;
                        k->unpack(at, m / per_block, panel);
                        k->multiply(panel, m, groups + g * n_tokens, n_tokens, (int)n_tokens, acc);
                    }
                }
                for (int64_t t = 0; t < n_tokens; t++)
                    bad += differ(acc + t * STRIP_ROWS, want + t * n_rows + s * STRIP_ROWS,
                                  STRIP_ROWS);
            }
        }
        if (bad)
            printf("id %d, n %d, %d tokens: %d differ\n", (int)id, (int)n, (int)n_tokens, (int)bad);
        n_bad += bad != 0;
        n_cases++;
        free(rows), free(x), free(groups), free(want), free(made), free(strip), free(panel);
    }
    printf("%s: %d cases, %d differ\n", v->name, (int)n_cases, (int)n_bad);
    return n_bad != 0 || n_cases == 0;
}
