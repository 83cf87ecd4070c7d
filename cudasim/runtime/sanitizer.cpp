// Finds what a kernel does wrong, from every load and store that it makes.
//
// Owns: the hooks that gcc's and clang's -fsanitize=thread and =bounds,alignment call (their own
// runtimes are not linked), shadow memory, the order of accesses, findings. Counters are in
// counters.cpp. Shadow memory has a cell for each four bytes of an array or shared variable; two
// accesses of one cell by different threads, one of them a write, are a race unless ordered:
//   by a barrier of the block (they lie in different intervals of it),
//   by __syncwarp among lanes of a warp (vector clocks, one a lane),
//   between blocks by __threadfence and an atomic on the same address.
// Shuffles and votes order nothing (CUDA C++ Programming Guide, warp shuffle functions).
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "watch.h"

#define PUBLIC extern "C" __attribute__((visibility("default")))
#define HOOK extern "C" __attribute__((visibility("hidden")))
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

Watch watch_;
bool in_stacks(const void *p) HIDDEN;

static Finding findings[256];
static int n_findings;
static uintptr_t arena;      // arrays lie in it, one in the middle of each slot
static unsigned slot_bits;
static int n_slots;
static uint32_t interval, block_first;
static uint16_t block_owner;
static int dynamic_region;
static int n_array_regions;  // arrays and module variables: regions that outlive a block
static uint16_t clocks[MAX_THREADS / N_LANES][N_LANES][N_LANES];
static int64_t *interval_block;  // which block an interval belongs to
static uint32_t interval_room;

// ---- memory that Python asks for

static void *reserve(size_t n_bytes) {
  void *p = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
// Room for arrays, each in a slot of 2^bits bytes; the widest slots that the system grants.
PUBLIC void *cudasim_arena(int slots, int least_bits, unsigned *bits) {
  if (arena) munmap((void *)arena, (size_t)n_slots << slot_bits);
  arena = 0;
  n_slots = slots;
  for (int b = 34; b >= least_bits; b -= 4) {
    void *p = reserve((size_t)slots << b);
    if (!p) continue;
    arena = (uintptr_t)p;
    *bits = slot_bits = (unsigned)b;
    return p;
  }
  return nullptr;
}
PUBLIC void cudasim_release() {
  for (int i = 0; i < watch_.n_regions; i++) {
    Region *r = &watch_.regions[i];
    if (r->cells) munmap(r->cells, (r->n_bytes / 4 + 2) * sizeof(Cell));
    r->cells = nullptr;
  }
  watch_.n_regions = 0;
  if (arena) munmap((void *)arena, (size_t)n_slots << slot_bits);
  arena = 0;
}
static int add_region(const Region *given) {
  if (watch_.n_regions == MAX_REGIONS) return -1;
  Region *r = &watch_.regions[watch_.n_regions];
  *r = *given;
  r->cells = (Cell *)reserve((r->n_bytes / 4 + 2) * sizeof(Cell));
  if (!r->cells) return -1;
  return watch_.n_regions++;
}
// The arrays of a launch, in the order of their slots, then the module's variables.
PUBLIC int cudasim_regions(const Region *given, int n) {
  for (int i = 0; i < n; i++)
    if (add_region(&given[i]) < 0) return -1;
  n_array_regions = n;
  return 0;
}
PUBLIC const Region *cudasim_region(int i) {
  return i < watch_.n_regions ? &watch_.regions[i] : nullptr;
}
PUBLIC const Finding *cudasim_findings(int *n) {
  *n = n_findings;
  return findings;
}
// Which bytes of an array are written by now; and how many sectors were touched (1 read, 2 written).
PUBLIC void cudasim_written(int region, uint8_t *flags) {
  const Region *r = &watch_.regions[region];
  for (size_t i = 0; i < r->n_bytes; i++)
    flags[i] = !r->written || r->written[i] || (r->cells[i / 4].written >> i % 4 & 1);
}
PUBLIC int64_t cudasim_touched(int region, int what) {
  const Region *r = &watch_.regions[region];
  int64_t n = 0;
  for (size_t s = 0; s * 32 < r->n_bytes; s++) {
    bool any = false;
    for (size_t c = s * 8; c < s * 8 + 8 && c * 4 < r->n_bytes; c++)
      any |= (r->cells[c].touched & what) != 0;
    n += any;
  }
  return n;
}

// ---- sites

static int site_table[MAX_SITES * 4];
int site_of(const void *pc) {
  uintptr_t h = ((uintptr_t)pc * 0x9e3779b97f4a7c15ull) >> 40;
  for (;; h++) {
    int *s = &site_table[h % (MAX_SITES * 4)];
    if (!*s) {
      if (watch_.n_sites == MAX_SITES) return 0;
      watch_.sites[watch_.n_sites].pc = pc;
      watch_.sites[watch_.n_sites].region = -1;
      *s = ++watch_.n_sites;
    }
    if (watch_.sites[*s - 1].pc == pc) return *s - 1;
  }
}

// ---- findings

static Finding *note(int kind, const void *pc, const void *other_pc, int region, int line) {
  for (int i = 0; i < n_findings; i++) {
    Finding *f = &findings[i];
    if (f->kind == kind && f->pc == pc && f->other_pc == other_pc && f->region == region &&
        f->line == line) {
      f->count++;
      return nullptr;
    }
  }
  if (n_findings == (int)(sizeof(findings) / sizeof(*findings))) return nullptr;
  Finding *f = &findings[n_findings++];
  memset(f, 0, sizeof(*f));
  f->kind = (uint8_t)kind;
  f->pc = pc;
  f->other_pc = other_pc;
  f->region = region;
  f->line = line;
  f->count = 1;
  f->block = block_.linear;
  f->thread = block_.current ? block_.current->linear : 0;
  f->other_thread = -1;
  return f;
}
static Finding *note_access(int kind, int region, uintptr_t at, size_t n, int access,
                            const void *pc) {
  Finding *f = note(kind, pc, nullptr, region, 0);
  if (!f) return nullptr;
  f->access = (uint8_t)access;
  f->n_bytes = (uint8_t)n;
  f->address = at;
  f->offset = region >= 0 ? (int64_t)(at - watch_.regions[region].low) : 0;
  return f;
}

// A write that meets another thread's write is a race unless both write the same; what this one
// writes shows only once it has, which is when its thread is heard of again.
static struct {
  bool waits;
  Finding f;
  uint8_t before[16];
} pending;
static void settle() {
  if (!pending.waits) return;
  pending.waits = false;
  const Finding *p = &pending.f;
  if (!memcmp((const void *)p->address, pending.before, p->n_bytes)) return;
  int64_t block = p->block;
  Finding *f = note(p->kind, p->pc, p->other_pc, p->region, 0);
  if (!f) return;
  *f = *p;
  f->block = block;
}

// ---- order

static struct {
  const void *address;
  int64_t block;
  uint32_t at;
} releases[1 << 14];
static int n_releases;
static const void *acquired[64];
static int n_acquired;
static bool fenced;

static bool ordered_between_blocks(const Past *p) {
  int64_t block = interval_block[p->interval];
  for (int i = 0; i < n_releases; i++) {
    if (releases[i].block != block || releases[i].at < p->interval) continue;
    for (int k = 0; k < n_acquired; k++)
      if (acquired[k] == releases[i].address) return true;
  }
  return false;
}
static bool ordered(const Past *p, const Thread *t) {
  if (p->interval != interval)
    return p->interval >= block_first || ordered_between_blocks(p);
  if (p->thread == t->linear) return true;
  int w = t->linear / N_LANES;
  return p->thread / N_LANES == w &&
         clocks[w][t->linear % N_LANES][p->thread % N_LANES] >= p->clock;
}
static void next_interval() {
  interval++;
  if (interval >= interval_room) {
    uint32_t room = interval_room ? interval_room * 4 : 1 << 16;
    int64_t *more = (int64_t *)reserve(room * sizeof(int64_t));
    if (interval_block) {
      memcpy(more, interval_block, interval_room * sizeof(int64_t));
      munmap(interval_block, interval_room * sizeof(int64_t));
    }
    interval_block = more;
    interval_room = room;
  }
  interval_block[interval] = block_.linear;
  memset(clocks, 0, sizeof(clocks));
  for (auto &warp : clocks)
    for (int i = 0; i < N_LANES; i++) warp[i][i] = 1;
}

// ---- one access

static void race(const Past *p, Thread *t, int region, uintptr_t at, size_t n, int access,
                 const void *pc) {
  Finding f;
  memset(&f, 0, sizeof(f));
  f.kind = FINDING_RACE;
  f.access = (uint8_t)access;
  f.other_access = p->kind;
  f.n_bytes = (uint8_t)n;
  f.region = region;
  f.offset = (int64_t)(at - watch_.regions[region].low);
  f.block = block_.linear;
  f.other_block = interval_block[p->interval];
  f.thread = t->linear;
  f.other_thread = p->thread;
  f.pc = pc;
  f.other_pc = watch_.sites[p->site].pc;
  f.count = 1;
  f.address = at;
  if (access == ACCESS_WRITE && p->kind == ACCESS_WRITE && n <= sizeof(pending.before)) {
    pending.waits = true;
    pending.f = f;
    memcpy(pending.before, (const void *)at, n);
    return;
  }
  Finding *made = note(f.kind, f.pc, f.other_pc, region, 0);
  if (made) *made = f;
}
static inline bool conflicts(const Past *p, uint8_t bytes, int access, Thread *t) {
  return p->interval && (p->bytes & bytes) && !(p->kind == ACCESS_ATOMIC && access == ACCESS_ATOMIC) &&
         !ordered(p, t);
}
// Looks at a cell and leaves the access in it; returns false after a finding.
static bool cell_access(Cell *c, uint8_t bytes, Thread *t, int region, int site, int access,
                        uintptr_t at, size_t n, const void *pc, bool fresh_allowed) {
  bool fine = true;
  if (access != ACCESS_WRITE) {
    c->touched |= 1;
    if ((c->written & bytes) != bytes && !fresh_allowed) {
      note_access(FINDING_UNWRITTEN, region, at, n, access, pc);
      c->written |= bytes;  // once is enough
      fine = false;
    }
  }
  for (Past &p : c->writers)
    if (fine && conflicts(&p, bytes, access, t)) {
      race(&p, t, region, at, n, access, pc);
      fine = false;
    }
  if (access != ACCESS_READ)
    for (Past &p : c->readers)
      if (fine && conflicts(&p, bytes, access, t)) {
        race(&p, t, region, at, n, access, pc);
        fine = false;
      }
  Past now = {interval, t->linear, (uint16_t)site,
              clocks[t->linear / N_LANES][t->linear % N_LANES][t->linear % N_LANES], bytes,
              (uint8_t)access};
  if (access != ACCESS_READ) {
    c->touched |= 2;
    c->written |= bytes;
    if (c->writers[0].bytes != bytes && c->writers[0].interval) c->writers[1] = c->writers[0];
    c->writers[0] = now;
  }
  if (access == ACCESS_READ) {
    Past old = c->readers[0];
    if (old.interval && old.thread != now.thread) {
      c->readers[1] = old;
      if (old.thread / N_LANES != now.thread / N_LANES || old.interval != now.interval)
        c->readers[2] = old;
    }
    c->readers[0] = now;
  }
  return fine;
}

static struct {
  bool waits;
  int finding;
  int thread;
} indexed;  // an index beyond its array was noted; the access that follows belongs to it

static int region_of(uintptr_t p, bool *inside) {
  if (p - arena < (uintptr_t)n_slots << slot_bits && arena) {
    int slot = (int)((p - arena) >> slot_bits);
    const Region *r = &watch_.regions[slot];
    *inside = p - r->low < r->n_bytes;
    return slot;
  }
  if (p - (uintptr_t)cudasim_memory < sizeof(cudasim_memory)) {
    *inside = p - (uintptr_t)cudasim_dynamic < watch_.regions[dynamic_region].n_bytes;
    return dynamic_region;
  }
  int near = -1;
  for (int i = watch_.n_regions - 1; i >= n_slots; i--) {
    const Region *r = &watch_.regions[i];
    if (p - r->low < r->n_bytes) {
      *inside = true;
      return i;
    }
    if (r->space == SPACE_SHARED && p - (r->low - GAP_BYTES) < r->n_bytes + 2 * GAP_BYTES &&
        i != dynamic_region && near < 0)
      near = i;
  }
  *inside = false;
  return near;
}
#ifdef __APPLE__
static bool in_image(uintptr_t p) { return p >= 1 << 16; }
#else
extern "C" char __ehdr_start[] HIDDEN, _end[] HIDDEN;
static bool in_image(uintptr_t p) {
  return p - (uintptr_t)__ehdr_start < (uintptr_t)(_end - __ehdr_start);
}
#endif
static void wild(uintptr_t at, size_t n, int access, const void *pc) {
  note_access(FINDING_WILD, -1, at, n, access, pc);
  outcome_->kind = OUTCOME_WILD;
  outcome_->block = block_.linear;
  abandon();
}

static void touch_cells(Region *r, int region, uintptr_t at, size_t n, int access, int site,
                        const void *pc) {
  Thread *t = block_.current;
  uintptr_t offset = at - r->low;
  for (uintptr_t b = offset, end = offset + n; b < end;) {
    uintptr_t cell_end = (b | 3) + 1 < end ? (b | 3) + 1 : end;
    Cell *c = &r->cells[b / 4];
    uint8_t bytes = (uint8_t)(((1u << (cell_end - b)) - 1) << (b & 3));
    bool given = false;
    if (r->space == SPACE_SHARED && region >= n_array_regions) {
      if (c->owner != block_owner) {
        memset(c, 0, sizeof(*c));
        c->owner = block_owner;
      }
    } else {
      given = !r->written;
      for (uintptr_t i = b; i < cell_end && !given; i++)
        if (r->written[i]) c->written |= (uint8_t)(1u << (i & 3));
    }
    if (r->space == SPACE_CONSTANT) c->touched |= 1;
    else if (!cell_access(c, bytes, t, region, site, access, r->low + b, cell_end - b, pc, given))
      break;
    b = cell_end;
  }
}
static void touch(const void *p, size_t n, int access, const void *pc) {
  if (!watch_.inside || !n) return;
  settle();
  uintptr_t at = (uintptr_t)p;
  bool inside;
  int region = region_of(at, &inside);
  if (region < 0) {
    if (!in_stacks(p) && !in_image(at)) wild(at, n, access, pc);
    return;
  }
  Region *r = &watch_.regions[region];
  int site = site_of(pc);
  if (watch_.profiling && inside) count_access(site, region, at, n, access);
  if (!watch_.checking) {
    if (inside) r->cells[(at - r->low) / 4].touched |= access == ACCESS_READ ? 1 : access == ACCESS_WRITE ? 2 : 3;
    return;
  }
  if (indexed.waits && r->space == SPACE_SHARED && indexed.thread == block_.current->linear) {
    indexed.waits = false;
    Finding *f = &findings[indexed.finding];
    if (f->region < 0) {
      f->region = region;
      f->offset = (int64_t)(at - r->low);
      f->access = (uint8_t)access;
      f->n_bytes = (uint8_t)n;
    }
    return;
  }
  if (!inside || at + n > r->low + r->n_bytes) {
    note_access(FINDING_BOUNDS, region, at, n, access, pc);
    return;
  }
  if (r->is_const && access != ACCESS_READ) {
    note_access(FINDING_CONST, region, at, n, access, pc);
    return;
  }
  touch_cells(r, region, at, n, access, site, pc);
}

#define PC __builtin_return_address(0)
#define HOOKS(n)                                                          \
  HOOK void __tsan_read##n(void *p) { touch(p, n, ACCESS_READ, PC); }     \
  HOOK void __tsan_write##n(void *p) { touch(p, n, ACCESS_WRITE, PC); }   \
  HOOK void __tsan_unaligned_read##n(void *p) { touch(p, n, ACCESS_READ, PC); }   \
  HOOK void __tsan_unaligned_write##n(void *p) { touch(p, n, ACCESS_WRITE, PC); } \
  HOOK void __tsan_volatile_read##n(void *p) { touch(p, n, ACCESS_READ, PC); }    \
  HOOK void __tsan_volatile_write##n(void *p) { touch(p, n, ACCESS_WRITE, PC); }  \
  HOOK void __tsan_read_write##n(void *p) {                               \
    touch(p, n, ACCESS_READ, PC);                                         \
    touch(p, n, ACCESS_WRITE, PC);                                        \
  }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
HOOK void __tsan_read_range(void *p, size_t n) { touch(p, n, ACCESS_READ, PC); }
HOOK void __tsan_write_range(void *p, size_t n) { touch(p, n, ACCESS_WRITE, PC); }
HOOK void __tsan_func_entry(void *) {}
HOOK void __tsan_func_exit() {}
HOOK void __tsan_init() {}
HOOK void __tsan_vptr_update(void **, void *) {}
HOOK void __tsan_vptr_read(void **) {}
HOOK void *__tsan_memcpy(void *to, const void *from, size_t n) {
  touch(from, n, ACCESS_READ, PC);
  touch(to, n, ACCESS_WRITE, PC);
  return memcpy(to, from, n);
}
HOOK void *__tsan_memmove(void *to, const void *from, size_t n) {
  touch(from, n, ACCESS_READ, PC);
  touch(to, n, ACCESS_WRITE, PC);
  return memmove(to, from, n);
}
HOOK void *__tsan_memset(void *to, int v, size_t n) {
  touch(to, n, ACCESS_WRITE, PC);
  return memset(to, v, n);
}
HOOK void cudasim_note_atomic(const void *p, size_t n, const void *pc) {
  if (!watch_.inside) return;
  touch(p, n, ACCESS_ATOMIC, pc);
  if (!watch_.checking) return;
  if (fenced && n_releases < (int)(sizeof(releases) / sizeof(*releases)))
    releases[n_releases++] = {p, block_.linear, interval};
  for (int i = 0; i < n_acquired; i++)
    if (acquired[i] == p) return;
  if (n_acquired < 64) acquired[n_acquired++] = p;
}
HOOK void __sanitizer_cov_trace_pc() {
  if (!watch_.inside) return;
  if (watch_.profiling) count_step(PC);
  if (launch_->lockstep) nap();
}

// ---- what -fsanitize=bounds,alignment found

struct Place {
  const char *file;
  uint32_t line, column;
};
struct TypeName {
  uint16_t kind, info;
  char name[1];
};
struct IndexData {
  Place place;
  const TypeName *array, *index;
};
struct MisalignedData {
  Place place;
  const TypeName *type;
  uint8_t log_alignment, kind;
};
HOOK void __ubsan_handle_out_of_bounds(IndexData *d, size_t index) {
  if (!watch_.inside || !watch_.checking) return;
  settle();
  int i = 0, line = (int)d->place.line;
  while (i < n_findings && (findings[i].kind != FINDING_INDEX || findings[i].line != line)) i++;
  if (i < n_findings) {
    findings[i].count++;
  } else if (Finding *f = note(FINDING_INDEX, nullptr, nullptr, -1, line)) {
    f->address = (uint64_t)(int64_t)(int32_t)index;
    snprintf(f->text, sizeof(f->text), "%s", d->array->name);
  } else {
    return;
  }
  indexed = {true, i, block_.current->linear};
}
HOOK void __ubsan_handle_divrem_overflow(MisalignedData *d, size_t, size_t) {
  if (!watch_.inside || !watch_.checking) return;
  settle();
  note(FINDING_DIVISION, nullptr, nullptr, -1, (int)d->place.line);
}
HOOK void __ubsan_handle_type_mismatch_v1(MisalignedData *d, size_t p) {
  if (!watch_.inside || !watch_.checking || !p) return;
  bool inside;
  int region = region_of(p, &inside);
  Finding *f = note(FINDING_MISALIGNED, nullptr, nullptr, region, (int)d->place.line);
  if (!f) return;
  f->address = p;
  f->offset = region >= 0 ? (int64_t)(p - watch_.regions[region].low) : 0;
  f->lane = 1u << d->log_alignment;
  snprintf(f->text, sizeof(f->text), "%s", d->type->name);
}

// ---- what the scheduler tells

void watch_launch(const Launch *launch) {
  watch_.checking = launch->checking;
  watch_.profiling = launch->profiling;
  n_findings = n_releases = 0;
  watch_.n_barriers = watch_.n_warp_operations = 0;
  watch_.n_sites = 0;
  memset(site_table, 0, sizeof(site_table));
  memset(watch_.sites, 0, sizeof(watch_.sites));
  interval = 0;
  block_owner = 0;
  Region dynamic = {};
  dynamic.name = "dynamic shared memory";
  dynamic.low = (uintptr_t)cudasim_dynamic;
  dynamic.n_bytes = launch->dynamic_bytes;
  dynamic.element = 4;
  dynamic.space = SPACE_SHARED;
  dynamic_region = add_region(&dynamic);
  count_launch();
}
void watch_block() {
  next_interval();
  block_first = interval;
  if (++block_owner == 0) {  // the numbers of blocks came round: nothing old may seem new
    for (int i = n_array_regions; i < watch_.n_regions; i++)
      memset(watch_.regions[i].cells, 0, (watch_.regions[i].n_bytes / 4 + 1) * sizeof(Cell));
    block_owner = 1;
  }
  n_acquired = 0;
  fenced = false;
  pending.waits = indexed.waits = false;
  watch_.inside = true;
}
void watch_block_end() {
  settle();
  if (watch_.profiling) count_flush();
  watch_.inside = false;
}
void watch_thread_end(Thread *t) {
  settle();
  indexed.waits = false;
  if (watch_.profiling && !block_.alive[t->linear / N_LANES]) count_warp_end(t->linear / N_LANES);
}
void watch_barrier(bool returned) {
  settle();
  watch_.n_barriers++;
  if (watch_.profiling) count_flush();
  if (watch_.checking) {
    Thread *first = nullptr, *gone = nullptr;
    for (int i = 0; i < block_.n_threads; i++) {
      Thread *t = &block_.threads[i];
      if (t->state == STATE_DONE && !gone) gone = t;
      if (t->state != STATE_BARRIER) continue;
      if (!first) first = t;
      if (t->pc == first->pc) continue;
      Finding *f = note(FINDING_BARRIER, first->pc, t->pc, -1, 0);
      if (!f) continue;
      f->thread = first->linear;
      f->other_thread = t->linear;
      f->other_block = block_.linear;
    }
    if (returned && first && gone) {
      Finding *f = note(FINDING_RETURNED, first->pc, nullptr, -1, 0);
      if (f) {
        f->thread = first->linear;
        f->other_thread = gone->linear;
      }
    }
  }
  next_interval();
}
void watch_warp(int warp, uint32_t lanes, int op) {
  watch_.n_warp_operations++;
  if (op != OP_SYNCWARP) return;
  settle();
  uint16_t all[N_LANES] = {};
  for (int i = 0; i < N_LANES; i++)
    if (lanes >> i & 1)
      for (int k = 0; k < N_LANES; k++)
        if (clocks[warp][i][k] > all[k]) all[k] = clocks[warp][i][k];
  for (int i = 0; i < N_LANES; i++)
    if (lanes >> i & 1) {
      memcpy(clocks[warp][i], all, sizeof(all));
      clocks[warp][i][i]++;
    }
}
void watch_warp_call(Thread *t) {
  settle();
  if (!watch_.checking || t->op == OP_ACTIVE || (t->mask >> t->linear % N_LANES & 1)) return;
  Finding *f = note(FINDING_MASK, t->pc, nullptr, -1, 0);
  if (!f) return;
  f->mask = t->mask;
  f->lane = t->linear % N_LANES;
  f->access = t->op;
}
void watch_foreign_lane(Thread *t, int lane) {
  if (!watch_.checking) return;
  Finding *f = note(FINDING_LANE, t->pc, nullptr, -1, 0);
  if (!f) return;
  int other = t->linear / N_LANES * N_LANES + lane;
  f->thread = t->linear;
  f->mask = t->mask;
  f->lane = (uint32_t)lane;
  f->access = t->op;
  f->other_thread = other < block_.n_threads && block_.threads[other].state == STATE_DONE ? other : -1;
}
void watch_fence() {
  settle();
  fenced = true;
}
void watch_stuck() {
  settle();
  if (!watch_.checking) return;
  for (int i = 0; i < block_.n_threads; i++) {
    Thread *t = &block_.threads[i];
    if (t->state != STATE_WARP) continue;
    Thread *warp = &block_.threads[i / N_LANES * N_LANES];
    Thread *other = nullptr;  // a lane that the mask names and that waits elsewhere
    for (int k = 0; k < N_LANES && !other; k++)
      if ((t->mask & block_.alive[i / N_LANES]) >> k & 1 &&
          (warp[k].state != STATE_WARP || warp[k].mask != t->mask || warp[k].op != t->op))
        other = &warp[k];
    if (!other) continue;
    Finding *f = note(FINDING_STUCK, t->pc, other->pc, -1, 0);
    if (!f) continue;
    f->thread = t->linear;
    f->mask = t->mask;
    f->access = t->op;
    f->other_thread = other->linear;
    f->other_access = other->state == STATE_BARRIER ? 255 : other->op;
    f->lane = other->mask;
  }
}
HOOK void cudasim_note_dynamic(const char *name, unsigned element) {
  watch_.regions[dynamic_region].name = name;
  watch_.regions[dynamic_region].element = element;
}
HOOK void cudasim_note_shared(const char *name, const void *p, size_t n_bytes, unsigned element,
                              int n_dims, const unsigned *dims) {
  for (int i = watch_.n_regions - 1; i >= n_array_regions; i--)
    if (watch_.regions[i].low == (uintptr_t)p) return;
  Region r = {};
  r.name = name;
  r.low = (uintptr_t)p;
  r.n_bytes = n_bytes;
  r.element = element;
  r.n_dims = (uint32_t)n_dims;
  for (int i = 0; i < 4; i++) r.dims[i] = dims[i];
  r.space = SPACE_SHARED;
  add_region(&r);
}
// A __shared__ variable at file scope, which no kernel declares.
PUBLIC void cudasim_shared_region(const Region *r) {
  cudasim_note_shared(r->name, (const void *)r->low, r->n_bytes, r->element, (int)r->n_dims, r->dims);
}
