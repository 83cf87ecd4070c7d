// Runs the blocks of a launch: every thread of a block a fiber, one at a time.
//
// Owns: the queue of threads that can go on, barriers, warp operations, stacks, launching. Must not
// know: arrays, findings, counters (watch_* tell sanitizer.cpp, and nobody in the fast runtime).
//
// A fiber takes the next thread that has not begun, runs it and takes another. So threads that never
// wait run one after the other as plain calls on a single stack. Where a thread has to wait, its
// stack stays as it is and the next thread begins on another.
#include "scheduler.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fibers.h"

extern "C" {
Index3 threadIdx HIDDEN, blockIdx HIDDEN, blockDim HIDDEN, gridDim HIDDEN;
alignas(128) char cudasim_memory[GAP_BYTES + DYNAMIC_BYTES + GAP_BYTES] HIDDEN;
}
Block block_;
Outcome *outcome_;
const Launch *launch_;

static struct {
  uint16_t ring[MAX_THREADS];
  unsigned head, tail;
} ready;
static int next_new, n_done, n_at_barrier;
static void *main_sp;
static bool abandoned;

static void queue(Thread *t) {
  t->state = STATE_READY;
  ready.ring[ready.tail++ % MAX_THREADS] = t->linear;
}

// ---- stacks: they belong to the thread of the system (guard.cpp), each with a page below that may
// not be touched

static char *stacks;
static size_t stack_bytes;
static uint16_t free_stacks[MAX_THREADS];
static int n_free;

bool in_stacks(const void *p) {
  return (size_t)((const char *)p - stacks) < stack_bytes * MAX_THREADS;
}

static void fiber_main();
// Stacks begin at different offsets, or the hot end of each would fall on the same lines of cache.
static void *take_stack() {
  int i = free_stacks[--n_free];
  char *low = stacks + i * stack_bytes + 4096;
  return fiber_new(low, stack_bytes - 4096 - (i % 128) * 128, fiber_main);
}

// ---- going on

[[noreturn]] static void go(void *sp) {
  void *nobody;
  fiber_switch(&nobody, sp);
  __builtin_unreachable();
}
[[noreturn]] void abandon() {
  abandoned = true;
  go(main_sp);
}
static void enter(Thread *t) {
  block_.current = t;
  threadIdx = t->index;
}
static bool resolve_active();

static void note_waiters() {
  Outcome *o = outcome_;
  o->n_waiters = 0;
  for (int i = 0; i < block_.n_threads; i++) {
    Thread *t = &block_.threads[i];
    if (t->state == STATE_BARRIER || t->state == STATE_WARP)
      o->waiters[o->n_waiters++] = {t->linear, t->state, t->op, t->mask, t->pc};
  }
}
[[noreturn]] static void stuck() {
  watch_stuck();
  note_waiters();
  outcome_->kind = OUTCOME_STUCK;
  outcome_->block = block_.linear;
  abandon();
}

// The current thread's state says what it waits for; returns when it has come.
static void wait() {
  Thread *me = block_.current;
  for (;;) {
    if (ready.head != ready.tail) {
      Thread *t = &block_.threads[ready.ring[ready.head++ % MAX_THREADS]];
      enter(t);
      if (t != me) fiber_switch(&me->sp, t->sp);
      return;
    }
    if (next_new < block_.n_threads) {
      void *sp = take_stack();
      fiber_switch(&me->sp, sp);
      return;
    }
    if (!resolve_active()) stuck();
  }
}

// Lets every other thread of the block go on first, until it waits, ends or does the same.
void nap() {
  Thread *me = block_.current;
  queue(me);
  if (next_new < block_.n_threads) {
    void *sp = take_stack();
    fiber_switch(&me->sp, sp);
  } else {
    wait();
  }
}

// ---- barriers

static void release_barrier() {
  watch_barrier(n_done > 0);
  int sum = 0, n = n_at_barrier;
  for (int i = 0; i < block_.n_threads; i++)
    if (block_.threads[i].state == STATE_BARRIER) sum += block_.threads[i].vote;
  n_at_barrier = 0;
  for (int i = 0; i < block_.n_threads; i++) {
    Thread *t = &block_.threads[i];
    if (t->state != STATE_BARRIER) continue;
    t->result = t->op == 0 ? sum : t->op == 1 ? sum == n : sum != 0;
    queue(t);
  }
}
static int at_barrier(int op, int vote, const void *pc) {
  Thread *t = block_.current;
  t->state = STATE_BARRIER;
  t->op = op;
  t->vote = vote;
  t->pc = pc;
  if (++n_at_barrier + n_done == block_.n_threads) release_barrier();
  wait();
  return (int)t->result;
}
extern "C" HIDDEN void cudasim_barrier() { at_barrier(0, 0, __builtin_return_address(0)); }
extern "C" HIDDEN int cudasim_barrier_reduce(int op, int predicate) {
  return at_barrier(op, predicate, __builtin_return_address(0));
}
extern "C" HIDDEN void cudasim_grid_barrier() {
  outcome_->kind = OUTCOME_GRID_SYNC;
  outcome_->block = block_.linear;
  outcome_->thread = block_.current->linear;
  outcome_->pc = __builtin_return_address(0);
  abandon();
}

// ---- warp operations

static uint64_t shuffled(Thread *warp, Thread *t, uint32_t lanes) {
  int lane = t->linear % N_LANES, width = t->width;
  if (width < 1 || width > 32 || (width & (width - 1))) width = 32;
  int first = lane & ~(width - 1), from = lane;
  switch (t->op) {
    case OP_SHFL: from = first + (t->arg & (width - 1)); break;
    case OP_SHFL_UP: from = lane - t->arg >= first ? lane - t->arg : lane; break;
    case OP_SHFL_DOWN: from = lane + t->arg < first + width ? lane + t->arg : lane; break;
    default: from = (lane ^ t->arg) < first + width ? lane ^ t->arg : lane;
  }
  if (lanes >> from & 1) return warp[from].value;
  watch_foreign_lane(t, from);
  return t->value;  // CUDA promises nothing here
}
static uint64_t combined(Thread *warp, uint32_t lanes, int op) {
  uint64_t sum = 0;
  bool first = true;
  for (int i = 0; i < N_LANES; i++) {
    if (!(lanes >> i & 1)) continue;
    uint64_t v = warp[i].value;
    int a = (int)sum, b = (int)v;
    unsigned ua = (unsigned)sum, ub = (unsigned)v;
    if (first && op != OP_BALLOT) sum = v;
    else switch (op) {
      case OP_BALLOT: sum |= (uint64_t)(v != 0) << i; break;
      case OP_ADD: sum = ua + ub; break;
      case OP_MIN: sum = (uint64_t)(int64_t)(b < a ? b : a); break;
      case OP_MAX: sum = (uint64_t)(int64_t)(b > a ? b : a); break;
      case OP_UMIN: sum = ub < ua ? ub : ua; break;
      case OP_UMAX: sum = ub > ua ? ub : ua; break;
      case OP_AND: case OP_ALL: sum &= v; break;
      case OP_OR: case OP_ANY: sum |= v; break;
      case OP_XOR: sum ^= v; break;
    }
    first = false;
  }
  return sum;
}
static void answer(Thread *warp, uint32_t lanes, int op) {
  if (op == OP_MATCH_ANY || op == OP_MATCH_ALL) {
    for (int i = 0; i < N_LANES; i++) {
      if (!(lanes >> i & 1)) continue;
      uint32_t same = 0;
      for (int k = 0; k < N_LANES; k++)
        same |= (uint32_t)(lanes >> k & 1 && warp[k].value == warp[i].value) << k;
      warp[i].result = op == OP_MATCH_ANY || same == lanes ? same : 0;
    }
  } else if (op >= OP_SHFL && op <= OP_SHFL_XOR) {
    for (int i = 0; i < N_LANES; i++)
      if (lanes >> i & 1) warp[i].result = shuffled(warp, &warp[i], lanes);
  } else if (op == OP_ACTIVE) {
    for (int i = 0; i < N_LANES; i++)
      if (lanes >> i & 1) warp[i].result = lanes;
  } else if (op != OP_SYNCWARP) {
    uint64_t all = combined(warp, lanes, op);
    for (int i = 0; i < N_LANES; i++)
      if (lanes >> i & 1) warp[i].result = all;
  }
}
static void release_warp(int w, uint32_t lanes, int op, Thread *but) {
  Thread *warp = &block_.threads[w * N_LANES];
  watch_warp(w, lanes, op);
  answer(warp, lanes, op);
  block_.waiting[w] &= ~lanes;
  for (int i = 0; i < N_LANES; i++)
    if (lanes >> i & 1) {
      if (&warp[i] == but) but->state = STATE_READY;
      else queue(&warp[i]);
    }
}
// Have all lanes that the mask names (and that have not returned) come, with this mask and operation?
static bool complete(int w, uint32_t mask, int op, Thread *but) {
  uint32_t lanes = mask & block_.alive[w];
  if ((block_.waiting[w] & lanes) != lanes || !lanes) return false;
  Thread *warp = &block_.threads[w * N_LANES];
  for (int i = 0; i < N_LANES; i++)
    if (lanes >> i & 1 && (warp[i].mask != mask || warp[i].op != op)) return false;
  release_warp(w, lanes, op, but);
  return true;
}
extern "C" HIDDEN unsigned long long cudasim_warp(int op, unsigned mask, unsigned long long value,
                                                  int arg, int width) {
  Thread *t = block_.current;
  int w = t->linear / N_LANES;
  t->op = op;
  t->mask = mask;
  t->value = value;
  t->arg = op == OP_SHFL ? arg & 31 : arg > 32 ? 32 : arg;
  t->width = width;
  t->pc = __builtin_return_address(0);
  t->state = STATE_WARP;
  watch_warp_call(t);
  block_.waiting[w] |= 1u << t->linear % N_LANES;
  if (op == OP_ACTIVE || !complete(w, mask, op, t)) wait();
  return t->result;
}
// Nothing else can run: the lanes of a warp that ask who is active, at one place, are.
static bool resolve_active() {
  for (int w = 0; w * N_LANES < block_.n_threads; w++) {
    Thread *warp = &block_.threads[w * N_LANES];
    uint32_t lanes = 0;
    const void *pc = nullptr;
    for (int i = 0; i < N_LANES; i++) {
      if (!(block_.waiting[w] >> i & 1) || warp[i].op != OP_ACTIVE) continue;
      if (!lanes) pc = warp[i].pc;
      if (warp[i].pc == pc) lanes |= 1u << i;
    }
    if (lanes) {
      release_warp(w, lanes, OP_ACTIVE, nullptr);
      return true;
    }
  }
  return false;
}

// ---- a thread ends; a block; a launch

static void finish(Thread *t) {
  int w = t->linear / N_LANES;
  t->state = STATE_DONE;
  n_done++;
  block_.alive[w] &= ~(1u << t->linear % N_LANES);
  watch_thread_end(t);
  if (n_at_barrier && n_at_barrier + n_done == block_.n_threads) release_barrier();
  for (uint32_t left = block_.waiting[w]; left; left &= left - 1) {
    Thread *other = &block_.threads[w * N_LANES + __builtin_ctz(left)];
    if (other->state == STATE_WARP && other->op != OP_ACTIVE)
      complete(w, other->mask, other->op, nullptr);
  }
}
static void fiber_main() {
  uint16_t mine = free_stacks[n_free];  // take_stack has just taken it
  while (next_new < block_.n_threads) {
    Thread *t = &block_.threads[next_new++];
    enter(t);
    launch_->call(launch_->arguments);
    finish(block_.current);
  }
  free_stacks[n_free++] = mine;  // nothing begins from here on, so nobody takes it while we leave
  for (;;) {
    if (n_done == block_.n_threads) go(main_sp);
    if (ready.head != ready.tail) {
      Thread *t = &block_.threads[ready.ring[ready.head++ % MAX_THREADS]];
      enter(t);
      go(t->sp);
    }
    if (!resolve_active()) stuck();
  }
}
static void run_block(int64_t linear) {
  const Launch *l = launch_;
  block_.linear = linear;
  blockIdx = {(unsigned)(linear % l->grid.x), (unsigned)(linear / l->grid.x % l->grid.y),
              (unsigned)(linear / l->grid.x / l->grid.y)};
  for (int i = 0; i < block_.n_threads; i++) block_.threads[i].state = STATE_NEW;
  for (int w = 0; w * N_LANES < block_.n_threads; w++) {
    int left = block_.n_threads - w * N_LANES;
    block_.alive[w] = left >= N_LANES ? ~0u : (1u << left) - 1;
    block_.waiting[w] = 0;
  }
  ready.head = ready.tail = 0;
  next_new = n_done = n_at_barrier = 0;
  for (n_free = 0; n_free < MAX_THREADS; n_free++) free_stacks[n_free] = MAX_THREADS - 1 - n_free;
  abandoned = false;
  watch_block();
  void *sp = take_stack();
  fiber_switch(&main_sp, sp);
  if (!abandoned) watch_block_end();
}

extern "C" __attribute__((visibility("default"))) int cudasim_launch(const Launch *launch,
                                                                     Outcome *outcome) {
  launch_ = launch;
  outcome_ = outcome;
  outcome->kind = OUTCOME_DONE;
  outcome->n_done = 0;
  stacks = launch->stacks;
  stack_bytes = launch->stack_bytes;
  if (!stacks) {
    outcome->kind = OUTCOME_NO_STACK;
    return 1;
  }
  blockDim = launch->block;
  gridDim = launch->grid;
  block_.n_threads = (int)(launch->block.x * launch->block.y * launch->block.z);
  int i = 0;
  for (unsigned z = 0; z < launch->block.z; z++)
    for (unsigned y = 0; y < launch->block.y; y++)
      for (unsigned x = 0; x < launch->block.x; x++, i++) {
        block_.threads[i].index = {x, y, z};
        block_.threads[i].linear = (uint16_t)i;
      }
  watch_launch(launch);
  for (;;) {
    int64_t b = __atomic_fetch_add(launch->next_block, 1, __ATOMIC_RELAXED);
    if (b >= launch->n_blocks) return 0;
    run_block(b);
    if (abandoned) {
      // the other copies take no further block
      __atomic_store_n(launch->next_block, launch->n_blocks, __ATOMIC_RELAXED);
      return 1;
    }
    outcome->n_done++;
  }
}

// ---- what kernels ask for besides

// printf goes into a buffer that Python prints after the launch; a full one drops what comes last.
static char printed[1 << 20];
static size_t n_printed;
extern "C" HIDDEN int cudasim_print(const char *format, va_list list) {
  int n = vsnprintf(printed + n_printed, sizeof(printed) - n_printed, format, list);
  if (n > 0) n_printed += n;
  if (n_printed >= sizeof(printed)) n_printed = sizeof(printed) - 1;
  return n;
}
extern "C" __attribute__((visibility("default"))) const char *cudasim_printed() {
  printed[n_printed] = 0;
  n_printed = 0;
  return printed;
}
extern "C" HIDDEN void cudasim_fail(const char *what, const char *file, int line,
                                    const char *function) {
  Outcome *o = outcome_;
  o->kind = line ? OUTCOME_ASSERT : OUTCOME_TRAP;
  o->line = line;
  o->block = block_.linear;
  o->thread = block_.current->linear;
  o->pc = __builtin_return_address(0);
  snprintf(o->text, sizeof(o->text), "%s", what);
  snprintf(o->file, sizeof(o->file), "%s", file);
  snprintf(o->function, sizeof(o->function), "%s", function);
  abandon();
}
extern "C" HIDDEN void cudasim_fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  watch_fence();
}
extern "C" HIDDEN unsigned cudasim_lane() { return block_.current->linear % N_LANES; }
extern "C" HIDDEN long long cudasim_clock() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}
extern "C" HIDDEN void *cudasim_heap(size_t) { return nullptr; }
extern "C" HIDDEN void cudasim_unheap(void *) {}

extern "C" __attribute__((visibility("default"))) int cudasim_is_stack(const void *p) {
  return in_stacks(p);
}
// Reads the position of a failure that a signal interrupted: which block and thread it was.
extern "C" __attribute__((visibility("default"))) void cudasim_where(Outcome *o) {
  o->block = block_.linear;
  o->thread = block_.current ? block_.current->linear : 0;
}
