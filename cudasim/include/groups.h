// cooperative_groups: threads named as a group, instead of by masks and barriers.
//
// Owns: thread_block, thread_block_tile<N>, thread_group, coalesced_group, reduce and the scans. A
// tile is a mask over the lanes of its warp. A grid group counts, but cannot wait: one block at a
// time runs here. A tile of more than 32 threads is not simulated.
#pragma once
#include "cudasim.h"

namespace cooperative_groups {

template <class T>
struct plus {
  T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct less {
  T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct greater {
  T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class T>
struct bit_and {
  T operator()(T a, T b) const { return a & b; }
};
template <class T>
struct bit_or {
  T operator()(T a, T b) const { return a | b; }
};
template <class T>
struct bit_xor {
  T operator()(T a, T b) const { return a ^ b; }
};

CUDASIM_INLINE unsigned int cudasim_thread_rank() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}
CUDASIM_INLINE unsigned int cudasim_rank_in(unsigned int mask) {
  return (unsigned int)__builtin_popcount(mask & ((1u << (cudasim_thread_rank() & 31)) - 1));
}
// The lane of the rank-th bit of a mask.
CUDASIM_INLINE int cudasim_lane_of(unsigned int mask, unsigned int rank) {
  for (; rank; rank--) mask &= mask - 1;
  return mask ? __builtin_ctz(mask) : 0;
}
CUDASIM_INLINE unsigned int cudasim_tile_mask(unsigned int size) {
  unsigned int first = (cudasim_thread_rank() & 31) & ~(size - 1);
  return size >= 32 ? 0xffffffffu : ((1u << size) - 1) << first;
}

struct thread_block {
  CUDASIM_INLINE_MEMBER static void sync() { cudasim_barrier(); }
  static unsigned int thread_rank() { return cudasim_thread_rank(); }
  static unsigned int size() { return blockDim.x * blockDim.y * blockDim.z; }
  static unsigned int num_threads() { return size(); }
  static dim3 group_dim() { return blockDim; }
  static dim3 dim_threads() { return blockDim; }
  static dim3 group_index() { return dim3(blockIdx); }
  static dim3 thread_index() { return dim3(threadIdx); }
};
CUDASIM_INLINE thread_block this_thread_block() { return thread_block(); }
template <unsigned int N>
struct block_tile_memory {
  char unused[8];
};
template <unsigned int N>
CUDASIM_INLINE thread_block this_thread_block(block_tile_memory<N> &) {
  return thread_block();
}

struct grid_group {
  CUDASIM_INLINE_MEMBER static void sync() { cudasim_grid_barrier(); }
  static bool is_valid() { return true; }
  static unsigned long long size() {
    return (unsigned long long)gridDim.x * gridDim.y * gridDim.z * thread_block::size();
  }
  static unsigned long long num_threads() { return size(); }
  static unsigned long long num_blocks() { return (unsigned long long)gridDim.x * gridDim.y * gridDim.z; }
  static unsigned long long block_rank() {
    return blockIdx.x + (unsigned long long)gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  }
  static unsigned long long thread_rank() {
    return block_rank() * thread_block::size() + cudasim_thread_rank();
  }
  static dim3 group_dim() { return gridDim; }
  static dim3 dim_blocks() { return gridDim; }
  static dim3 block_index() { return dim3(blockIdx); }
};
CUDASIM_INLINE grid_group this_grid() { return grid_group(); }

// A value of any size goes in pieces of 8 bytes.
template <class T, class F>
CUDASIM_INLINE T cudasim_in_pieces(T v, F shuffle) {
  unsigned long long pieces[(sizeof(T) + 7) / 8] = {};
  __builtin_memcpy(pieces, &v, sizeof(T));
  for (unsigned long long &piece : pieces) piece = shuffle(piece);
  __builtin_memcpy(&v, pieces, sizeof(T));
  return v;
}
typedef unsigned long long cudasim_piece;

// What groups within a warp have in common: a mask of lanes.
struct CudasimLanes {
  unsigned int mask;
  CUDASIM_INLINE_MEMBER void sync() const { __syncwarp(mask); }
  unsigned int thread_rank() const { return cudasim_rank_in(mask); }
  unsigned int size() const { return (unsigned int)__builtin_popcount(mask); }
  unsigned int num_threads() const { return size(); }
  int lane(unsigned int rank) const { return cudasim_lane_of(mask, rank); }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl(T v, int rank) const {
    int from = lane((unsigned int)rank % size());
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_sync(m, p, from); });
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl_up(T v, unsigned int delta) const {
    unsigned int r = thread_rank();
    int from = lane(r >= delta ? r - delta : r);
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_sync(m, p, from); });
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl_down(T v, unsigned int delta) const {
    unsigned int r = thread_rank();
    int from = lane(r + delta < size() ? r + delta : r);
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_sync(m, p, from); });
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl_xor(T v, unsigned int bits) const {
    unsigned int r = thread_rank() ^ bits;
    int from = lane(r < size() ? r : thread_rank());
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_sync(m, p, from); });
  }
  CUDASIM_INLINE_MEMBER int any(int predicate) const { return __any_sync(mask, predicate); }
  CUDASIM_INLINE_MEMBER int all(int predicate) const { return __all_sync(mask, predicate); }
  // Bit i stands for the thread of rank i in the group.
  CUDASIM_INLINE_MEMBER unsigned int ballot(int predicate) const {
    unsigned int lanes = __ballot_sync(mask, predicate), out = 0;
    for (unsigned int r = 0; r < size(); r++) out |= (lanes >> lane(r) & 1u) << r;
    return out;
  }
  template <class T>
  CUDASIM_INLINE_MEMBER unsigned int match_any(T v) const {
    unsigned int lanes = __match_any_sync(mask, v), out = 0;
    for (unsigned int r = 0; r < size(); r++) out |= (lanes >> lane(r) & 1u) << r;
    return out;
  }
};
template <unsigned int N, class Parent = void>
struct thread_block_tile : CudasimLanes {
  static_assert(N >= 1 && N <= 32 && (N & (N - 1)) == 0, "a tile has 1, 2, 4, 8, 16 or 32 threads");
  thread_block_tile() : CudasimLanes{cudasim_tile_mask(N)} {}
  template <class Other>
  thread_block_tile(const thread_block_tile<N, Other> &) : thread_block_tile() {}
  static constexpr unsigned int size() { return N; }
  static constexpr unsigned int num_threads() { return N; }
  static unsigned int thread_rank() { return cudasim_thread_rank() & (N - 1); }
  static unsigned int meta_group_rank() { return cudasim_thread_rank() / N; }
  static unsigned int meta_group_size() { return (thread_block::size() + N - 1) / N; }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl(T v, int rank) const {
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_sync(m, p, rank, int(N)); });
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl_up(T v, unsigned int delta) const {
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_up_sync(m, p, delta, int(N)); });
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl_down(T v, unsigned int delta) const {
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_down_sync(m, p, delta, int(N)); });
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl_xor(T v, unsigned int bits) const {
    return cudasim_in_pieces(v, [=, m = mask](cudasim_piece p) { return __shfl_xor_sync(m, p, int(bits), int(N)); });
  }
};
struct coalesced_group : CudasimLanes {
  coalesced_group(unsigned int lanes) : CudasimLanes{lanes} {}
};
CUDASIM_INLINE coalesced_group coalesced_threads() { return coalesced_group(__activemask()); }

// A group whose size is not known to the compiler: a block, or a tile of it.
struct thread_group {
  unsigned int mask;  // 0 is the whole block
  thread_group(thread_block) : mask(0) {}
  thread_group(CudasimLanes g) : mask(g.mask) {}
  CUDASIM_INLINE_MEMBER void sync() const {
    if (mask) __syncwarp(mask);
    else cudasim_barrier();
  }
  unsigned int size() const { return mask ? CudasimLanes{mask}.size() : thread_block::size(); }
  unsigned int num_threads() const { return size(); }
  unsigned int thread_rank() const {
    return mask ? cudasim_rank_in(mask) : cudasim_thread_rank();
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl_down(T v, unsigned int delta) const {
    return CudasimLanes{mask}.shfl_down(v, delta);
  }
  template <class T>
  CUDASIM_INLINE_MEMBER T shfl(T v, int rank) const {
    return CudasimLanes{mask}.shfl(v, rank);
  }
};

template <unsigned int N, class Group>
CUDASIM_INLINE thread_block_tile<N, Group> tiled_partition(const Group &) {
  return thread_block_tile<N, Group>();
}
CUDASIM_INLINE thread_group tiled_partition(const thread_group &, unsigned int size) {
  return thread_group(CudasimLanes{cudasim_tile_mask(size)});
}
CUDASIM_INLINE coalesced_group binary_partition(const CudasimLanes &group, bool predicate) {
  unsigned int lanes = __ballot_sync(group.mask, predicate);
  return coalesced_group(predicate ? lanes : group.mask & ~lanes);
}
template <class Label>
CUDASIM_INLINE coalesced_group labeled_partition(const CudasimLanes &group, Label label) {
  return coalesced_group(__match_any_sync(group.mask, label));
}
template <class Group>
CUDASIM_INLINE void sync(const Group &group) {
  group.sync();
}

// A butterfly: as f(a, b) is f(b, a), every lane comes to the same bits.
template <unsigned int N, class Parent, class T, class F>
CUDASIM_INLINE T reduce(const thread_block_tile<N, Parent> &tile, T v, F f) {
  for (unsigned int d = N / 2; d; d /= 2) v = f(v, tile.shfl_xor(v, d));
  return v;
}
// Of any size: in the order of ranks.
template <class Group, class T, class F>
CUDASIM_INLINE T reduce(const Group &group, T v, F f) {
  T sum = group.shfl(v, 0);
  for (unsigned int r = 1; r < group.size(); r++) sum = f(sum, group.shfl(v, int(r)));
  return sum;
}
template <class Group, class T, class F>
CUDASIM_INLINE T inclusive_scan(const Group &group, T v, F f) {
  T sum = v;
  for (unsigned int d = 1; d < group.size(); d *= 2) {
    T other = group.shfl_up(sum, d);
    if (group.thread_rank() >= d) sum = f(other, sum);
  }
  return sum;
}
template <class Group, class T>
CUDASIM_INLINE T inclusive_scan(const Group &group, T v) {
  return inclusive_scan(group, v, plus<T>());
}
template <class Group, class T, class F>
CUDASIM_INLINE T exclusive_scan(const Group &group, T v, F f) {
  T before = group.shfl_up(inclusive_scan(group, v, f), 1);
  return group.thread_rank() == 0 ? T() : before;
}
template <class Group, class T>
CUDASIM_INLINE T exclusive_scan(const Group &group, T v) {
  return exclusive_scan(group, v, plus<T>());
}
template <class Group, class F>
CUDASIM_INLINE void invoke_one(const Group &group, F f) {
  if (group.thread_rank() == 0) f();
}
template <class Group, class T>
CUDASIM_INLINE void memcpy_async(const Group &group, T *to, const T *from, size_t n_bytes) {
  for (size_t i = group.thread_rank(); i < n_bytes / sizeof(T); i += group.size()) to[i] = from[i];
}
template <class Group>
CUDASIM_INLINE void wait(const Group &group) {
  group.sync();
}
}  // namespace cooperative_groups
