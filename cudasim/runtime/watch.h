// What the sanitizer and the counters know of a launch.
//
// Owns: regions (arrays, shared variables), sites (an instruction that touches memory), findings.
// cudasim/watching.py mirrors the structs.
#pragma once
#include "scheduler.h"

enum Access : uint8_t { ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC };
enum Space : uint8_t { SPACE_GLOBAL, SPACE_SHARED, SPACE_CONSTANT };
enum FindingKind : uint8_t {
  FINDING_BOUNDS, FINDING_UNWRITTEN, FINDING_RACE, FINDING_BARRIER, FINDING_RETURNED, FINDING_MASK,
  FINDING_LANE, FINDING_STUCK, FINDING_MISALIGNED, FINDING_CONST, FINDING_WILD, FINDING_INDEX, FINDING_DIVISION
};

// One access as a cell of shadow memory remembers it. An interval is what lies between two barriers
// of one block; their numbers go up through the whole launch, 0 is nobody.
struct Past {
  uint32_t interval;
  uint16_t thread, site, clock;
  uint8_t bytes;  // which of the cell's four
  uint8_t kind;
};
struct Cell {  // of four bytes: one line of cache
  uint8_t written;  // bytes that somebody wrote
  uint8_t touched;  // 1 read, 2 written, in this launch
  uint16_t owner;   // of shared memory: the block that it is about
  Past writers[2];
  Past readers[3];  // the last; the last of another thread; the last of another warp
};
struct Region {
  const char *name;
  uintptr_t low;
  size_t n_bytes;
  uint32_t element;
  uint32_t n_dims;
  uint32_t dims[4];
  uint8_t space;
  uint8_t is_const;
  Cell *cells;
  uint8_t *written;  // flags a byte, or null where all of it is written; in and out
};
struct Finding {
  uint8_t kind, access, other_access, n_bytes;
  int32_t region;   // -1 none
  int64_t offset;   // bytes from the region's begin
  int64_t block, other_block;
  int32_t thread, other_thread;
  const void *pc, *other_pc;
  int64_t count;
  uint32_t mask, lane;
  int32_t line;  // where it is known without pc
  uint64_t address;
  char text[96];
};
struct Site {
  const void *pc;
  int32_t region;  // the last one it touched, -2 where there were several
  uint8_t access, space, size, is_step;
  int64_t requests, lanes, bytes;
  int64_t sectors, least_sectors;     // of 32 bytes, global memory
  int64_t wavefronts, least_wavefronts;  // shared memory
  int64_t possible;  // of a step: lanes that exist
};
struct Touch {  // for drawings
  int64_t offset;
  int32_t region;
  int32_t block;
  uint16_t thread, site;
  uint8_t n_bytes, access;
};

constexpr int MAX_REGIONS = 512;
constexpr int MAX_SITES = 8192;
struct Watch {
  bool inside, checking, profiling;
  Region regions[MAX_REGIONS];
  int n_regions;
  Site sites[MAX_SITES];
  int n_sites;
  int64_t n_barriers, n_warp_operations;
};
extern Watch watch_ HIDDEN;
int site_of(const void *pc) HIDDEN;
// A thread touches memory; counters.cpp.
void count_access(int site, int region, uintptr_t at, size_t n_bytes, int access) HIDDEN;
void count_step(const void *pc) HIDDEN;
void count_launch() HIDDEN;
void count_flush() HIDDEN;            // all warps of the block
void count_warp_end(int warp) HIDDEN;
void nap() HIDDEN;                    // lets all others of the block go on first
