// Counts what a launch costs: transactions, bank conflicts, lanes that do nothing.
//
// Owns: requests (what the lanes of a warp access at once), steps (a piece of straight code that they
// run at once), a trace of the first accesses for drawings. Lanes run one after the other here; the
// k-th time that a lane comes to an instruction belongs with the k-th time of the others, which is
// what a GPU does while they stay together. A GPU's caches are left out: a sector counts each time.
//   sectors: 32 bytes; those that a request touches (CUDA C++ Best Practices Guide, coalesced access)
//   wavefronts: a request to shared memory takes as many as one of the 32 banks, four bytes wide, has
//   different words; 8-byte accesses go by half warps, 16-byte ones by quarters
#include <string.h>
#include <sys/mman.h>

#include "watch.h"

#define PUBLIC extern "C" __attribute__((visibility("default")))

constexpr int WINDOW = 64;   // how often a lane may come to an instruction before it lets others
constexpr int MAX_TRACE = 1 << 14;
constexpr size_t MOST_AT_ONCE = 16;  // bytes of a lane in one request

struct Request {
  uint32_t lanes;
  uint8_t size;
  uintptr_t at[N_LANES];
};
struct Column {  // one instruction in one warp
  uint32_t base;              // occurrences below are counted already
  uint32_t next[N_LANES];     // how often each lane has come
  uint32_t n_used;
  uint32_t steps[WINDOW * 2];     // of a step: which lanes
  Request *requests;          // of an access
};
static Column *columns[MAX_THREADS / N_LANES][MAX_SITES];
static Touch trace[MAX_TRACE];
static int n_trace;

PUBLIC const Touch *cudasim_trace(int *n) {
  *n = n_trace;
  return trace;
}
PUBLIC const Site *cudasim_sites(int *n, int64_t *barriers, int64_t *warp_operations) {
  *n = watch_.n_sites;
  *barriers = watch_.n_barriers;
  *warp_operations = watch_.n_warp_operations;
  return watch_.sites;
}

static int sort_distinct(uintptr_t *v, int n) {
  for (int i = 1; i < n; i++) {  // mostly sorted already
    uintptr_t x = v[i];
    int k = i;
    for (; k && v[k - 1] > x; k--) v[k] = v[k - 1];
    v[k] = x;
  }
  int m = 0;
  for (int i = 0; i < n; i++)
    if (!m || v[m - 1] != v[i]) v[m++] = v[i];
  return m;
}
static void count_global(Site *s, const Request *q) {
  uintptr_t sectors[N_LANES * 2], starts[N_LANES];
  int n = 0, n_starts = 0;
  for (int i = 0; i < N_LANES; i++) {
    if (!(q->lanes >> i & 1)) continue;
    uintptr_t first = q->at[i] / 32, last = (q->at[i] + q->size - 1) / 32;
    sectors[n++] = first;
    if (last != first) sectors[n++] = last;
    starts[n_starts++] = q->at[i];
  }
  n_starts = sort_distinct(starts, n_starts);
  int64_t bytes = (int64_t)n_starts * q->size;
  s->sectors += sort_distinct(sectors, n);
  s->least_sectors += (bytes + 31) / 32;
  s->bytes += bytes;
}
static void count_shared(Site *s, const Request *q) {
  int lanes_at_once = q->size <= 4 ? 32 : q->size == 8 ? 16 : 8;
  for (int first = 0; first < N_LANES; first += lanes_at_once) {
    uintptr_t words[N_LANES * 4];
    int n = 0;
    for (int i = first; i < first + lanes_at_once; i++)
      if (q->lanes >> i & 1)
        for (uintptr_t w = q->at[i] / 4; w <= (q->at[i] + q->size - 1) / 4; w++) words[n++] = w;
    if (!n) continue;
    n = sort_distinct(words, n);
    int banks[32] = {}, most = 0;
    for (int i = 0; i < n; i++) {
      int b = ++banks[words[i] % 32];
      if (b > most) most = b;
    }
    s->wavefronts += most;
    s->least_wavefronts++;
    s->bytes += n * 4;
  }
}
static void count_column(int w, int site, Column *c) {
  Site *s = &watch_.sites[site];
  int left = block_.n_threads - w * N_LANES;
  for (uint32_t i = 0; i < c->n_used; i++) {
    uint32_t lanes = s->is_step ? c->steps[i] : c->requests[i].lanes;
    if (!lanes) continue;
    s->requests++;
    s->lanes += __builtin_popcount(lanes);
    s->possible += left < N_LANES ? left : N_LANES;
    if (!s->is_step) {
      if (s->space == SPACE_SHARED) count_shared(s, &c->requests[i]);
      else if (s->space == SPACE_GLOBAL) count_global(s, &c->requests[i]);
      c->requests[i].lanes = 0;
    } else {
      c->steps[i] = 0;
    }
  }
  c->base += c->n_used;
  c->n_used = 0;
}
static void count_warp(int w) {
  for (int i = 0; i < watch_.n_sites; i++)
    if (columns[w][i] && columns[w][i]->n_used) count_column(w, i, columns[w][i]);
}
void count_warp_end(int w) {
  count_warp(w);
  for (int i = 0; i < watch_.n_sites; i++)
    if (columns[w][i]) {
      columns[w][i]->base = 0;
      memset(columns[w][i]->next, 0, sizeof(columns[w][i]->next));
    }
}
void count_flush() {
  // at a barrier all lanes are together again, wherever they have been
  for (int w = 0; w * N_LANES < block_.n_threads; w++) count_warp_end(w);
}
// Columns come from a pool of their own: a launch may be stopped anywhere, and in malloc that would
// leave its lock held.
static constexpr size_t MOST_BYTES = (size_t)4 << 30, LEAST_BYTES = (size_t)16 << 20;
static char *pool;
static size_t n_pooled, pool_bytes;
static void *take(size_t n_bytes) {
  if (!pool || n_pooled + n_bytes > pool_bytes) return nullptr;
  void *p = pool + n_pooled;
  n_pooled += (n_bytes + 63) & ~(size_t)63;
  return p;
}
void count_launch() {
  n_trace = 0;
  memset(columns, 0, sizeof(columns));
  if (pool && n_pooled == 0) return;
  if (pool) munmap(pool, pool_bytes);
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
  pool = nullptr;  // a sandbox may grant a process less than it would take without ever using it
  for (pool_bytes = MOST_BYTES; !pool && pool_bytes >= LEAST_BYTES; ) {
    void *p = mmap(nullptr, pool_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) pool_bytes /= 4;
    else pool = (char *)p;
  }
  n_pooled = 0;
}

// The place for this lane's next time at a site, or null where there is no memory.
static Column *column(int site, bool is_step, uint32_t *at) {
  Thread *t = block_.current;
  int w = t->linear / N_LANES, lane = t->linear % N_LANES;
  Column *&c = columns[w][site];
  if (!c) {
    c = (Column *)take(sizeof(Column));
    if (c && !is_step) c->requests = (Request *)take(WINDOW * 2 * sizeof(Request));
    if (!c || (!is_step && !c->requests)) return nullptr;
    watch_.sites[site].is_step = is_step;
  }
  uint32_t k = c->next[lane]++;
  if (k >= c->base + WINDOW) {
    nap();  // the others come this far, or end, or wait
    if (k >= c->base + WINDOW) count_warp(w);
  }
  if (k < c->base) k = c->next[lane] = c->base;  // it fell behind: counted by itself
  if (k == c->base && c->next[lane] <= k) c->next[lane] = k + 1;
  if (k - c->base >= WINDOW * 2) return nullptr;
  *at = k - c->base;
  if (*at >= c->n_used) c->n_used = *at + 1;
  return c;
}
// One request of a lane, of at most MOST_AT_ONCE bytes.
static void count_piece(int site, int region, uintptr_t at, size_t n_bytes, int access) {
  Thread *t = block_.current;
  if (n_trace < MAX_TRACE)
    trace[n_trace++] = {(int64_t)(at - watch_.regions[region].low), region, (int32_t)block_.linear,
                        t->linear, (uint16_t)site, (uint8_t)n_bytes, (uint8_t)access};
  uint32_t k;
  Column *c = column(site, false, &k);
  if (!c) return;
  c->requests[k].lanes |= 1u << t->linear % N_LANES;
  c->requests[k].size = (uint8_t)n_bytes;
  c->requests[k].at[t->linear % N_LANES] = at;
}
// A large struct is copied in one go here; no instruction of a GPU moves so much.
void count_access(int site, int region, uintptr_t at, size_t n_bytes, int access) {
  Site *s = &watch_.sites[site];
  s->space = watch_.regions[region].space;
  s->region = s->region == -1 || s->region == region ? region : -2;
  s->size = (uint8_t)(n_bytes < MOST_AT_ONCE ? n_bytes : MOST_AT_ONCE);
  s->access = (uint8_t)access;
  for (size_t i = 0; i < n_bytes; i += MOST_AT_ONCE) {
    size_t left = n_bytes - i;
    count_piece(site, region, at + i, left < MOST_AT_ONCE ? left : MOST_AT_ONCE, access);
  }
}
void count_step(const void *pc) {
  uint32_t k;
  int site = site_of(pc);
  Column *c = column(site, true, &k);
  if (c) c->steps[k] |= 1u << block_.current->linear % N_LANES;
}
