// The threads of a block as fibers, and what they wait for.
//
// Owns: Thread, the states, the operations of a warp (numbers as in include/warp.h). The scheduler
// (scheduler.cpp) runs one block at a time in one thread of the operating system.
#pragma once
#include "abi.h"

enum State : uint8_t { STATE_NEW, STATE_READY, STATE_BARRIER, STATE_WARP, STATE_DONE };
enum Op : uint8_t {
  OP_SYNCWARP, OP_SHFL, OP_SHFL_UP, OP_SHFL_DOWN, OP_SHFL_XOR, OP_BALLOT, OP_ANY, OP_ALL,
  OP_ADD, OP_MIN, OP_MAX, OP_UMIN, OP_UMAX, OP_AND, OP_OR, OP_XOR, OP_MATCH_ANY, OP_MATCH_ALL,
  OP_ACTIVE
};
constexpr int MAX_THREADS = 1024;
constexpr int N_LANES = 32;

// Dynamic shared memory: 228 KB is the most that any GPU's multiprocessor has. What a kernel writes a
// little beyond falls into the gaps. include/qualifiers.h has the same gap.
constexpr size_t GAP_BYTES = 4096, DYNAMIC_BYTES = 228 << 10;
extern "C" char cudasim_memory[GAP_BYTES + DYNAMIC_BYTES + GAP_BYTES]
    __attribute__((visibility("hidden")));
#define cudasim_dynamic (cudasim_memory + GAP_BYTES)

struct Thread {
  void *sp;  // where to go on, while it waits
  Index3 index;
  State state;
  uint8_t op;
  int16_t arg;
  int16_t width;
  uint16_t linear;
  uint32_t mask;
  int vote;
  uint64_t value, result;
  const void *pc;  // of the barrier or warp operation it waits in
};

struct Block {
  Thread threads[MAX_THREADS];
  int n_threads;
  int64_t linear;
  Thread *current;
  uint32_t alive[MAX_THREADS / N_LANES];    // lanes that exist and have not returned
  uint32_t waiting[MAX_THREADS / N_LANES];  // lanes in a warp operation
};
extern Block block_ __attribute__((visibility("hidden")));

// Leaves the block for good; the outcome has been filled in.
[[noreturn]] void abandon() __attribute__((visibility("hidden")));
extern Outcome *outcome_ __attribute__((visibility("hidden")));
extern const Launch *launch_ __attribute__((visibility("hidden")));

// What the sanitizer is told of, empty in the fast runtime (sanitizer.cpp, unwatched.cpp).
extern "C" {
#define HIDDEN __attribute__((visibility("hidden")))
void watch_launch(const Launch *launch) HIDDEN;
void watch_block() HIDDEN;                           // a block begins
void watch_block_end() HIDDEN;
void watch_thread_end(Thread *t) HIDDEN;
void watch_barrier(bool returned) HIDDEN;            // all have come; some had returned before
void watch_warp(int warp, uint32_t lanes, int op) HIDDEN;  // these lanes have met
void watch_warp_call(Thread *t) HIDDEN;
void watch_foreign_lane(Thread *t, int lane) HIDDEN;  // a shuffle reads a lane that is not there
void watch_fence() HIDDEN;
void watch_stuck() HIDDEN;                           // nobody can go on
}
