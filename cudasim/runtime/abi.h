// What the runtime and Python say to each other: plain structs, mirrored in cudasim/library.py.
//
// Owns: the launch, the outcome, the states of threads that Python explains when a block is stuck.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct Index3 {
  unsigned x, y, z;
};

struct Launch {
  void (*call)(void **arguments);
  void **arguments;
  Index3 grid, block;
  size_t dynamic_bytes;
  int64_t *next_block;   // shared by the copies that work on one launch; each takes the next
  int64_t n_blocks;
  char *stacks;   // of 1024 fibers, one after the other; guard_run sets it
  size_t stack_bytes;
  int checking;   // sanitizer on
  int profiling;  // counters on
  int lockstep;   // threads take turns at every piece of straight code
};

enum OutcomeKind { OUTCOME_DONE, OUTCOME_STUCK, OUTCOME_ASSERT, OUTCOME_TRAP, OUTCOME_GRID_SYNC,
                   OUTCOME_WILD, OUTCOME_FAULT, OUTCOME_CANCELLED, OUTCOME_NO_STACK };

struct Waiter {
  uint16_t thread;
  uint8_t state;
  uint8_t op;
  uint32_t mask;
  const void *pc;
};

struct Outcome {
  int kind;
  int line;
  int64_t block;   // linear index of the block that failed
  int64_t n_done;  // blocks this copy completed
  int thread;
  int n_waiters;
  int signal;
  const void *address;
  const void *pc;
  char text[256];
  char file[128];
  char function[64];
  Waiter waiters[1024];
};
