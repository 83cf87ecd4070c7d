// Comes back from a kernel that touched memory it must not, or that was told to stop.
//
// Owns: the signal handlers and the fibers' stacks, one library for the whole process, unlike the runtime, which every
// compiled kernel carries. Python calls guard_run, in a thread of its own for each copy of a kernel.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "abi.h"

#define PUBLIC extern "C" __attribute__((visibility("default")))

struct Guard {
  int active;
  int cancelled;
  int signal;
  const void *address;
  const void *pc;
  pthread_t thread;
  sigjmp_buf back;
};
static thread_local Guard *guard_;
static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction before[32];
static int n_installed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const void *interrupted_at(void *context) {
#if defined(__linux__) && defined(__x86_64__)
  struct Registers {  // the head of ucontext_t and of its mcontext_t: rip is register 16
    unsigned long flags;
    void *link;
    stack_t stack;
    long long registers[23];
  };
  return (const void *)((Registers *)context)->registers[16];
#elif defined(__linux__) && defined(__aarch64__)
  return (const void *)((ucontext_t *)context)->uc_mcontext.pc;
#else
  (void)context;
  return nullptr;
#endif
}
static void handle(int signal, siginfo_t *info, void *context) {
  Guard *g = guard_;
  bool sent = info->si_code <= 0;  // by guard_cancel, not by the processor
  if (g && g->active && (!sent || g->cancelled)) {
    g->active = 0;
    g->signal = sent ? 0 : signal;
    g->address = info->si_addr;
    g->pc = interrupted_at(context);
    siglongjmp(g->back, 1);
  }
  if (sent && signal == SIGSEGV) return;  // came late: the launch is over
  struct sigaction *old = &before[signal];
  if (old->sa_flags & SA_SIGINFO) old->sa_sigaction(signal, info, context);
  else if (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN) sigaction(signal, old, nullptr);
  else old->sa_handler(signal);
}
static void install() {
  pthread_mutex_lock(&lock);
  if (n_installed++ == 0) {
    struct sigaction ours;
    memset(&ours, 0, sizeof(ours));
    ours.sa_sigaction = handle;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int s : SIGNALS) sigaction(s, &ours, &before[s]);
  }
  pthread_mutex_unlock(&lock);
}
static void uninstall() {
  pthread_mutex_lock(&lock);
  if (--n_installed == 0)
    for (int s : SIGNALS) sigaction(s, &before[s], nullptr);
  pthread_mutex_unlock(&lock);
}

// The stacks of this thread's fibers, mapped once and kept. A page without rights below each makes two
// entries of the system's table of mappings: a table has 65,530, so threads must be few.
static char *stacks_of(size_t n_bytes) {
  constexpr int N = 1024;
  static thread_local char *at;
  static thread_local size_t size;
  if (at && size == n_bytes) return at;
  if (at) munmap(at, size * N);
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
  void *p = mmap(nullptr, n_bytes * N, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  at = p == MAP_FAILED ? nullptr : (char *)p;
  size = n_bytes;
  for (int i = 0; at && i < N; i++) mprotect(at + i * n_bytes, 4096, PROT_NONE);
  return at;
}

// Calls run(a, b) and returns what it returns, or -1 after a signal, -2 after guard_cancel.
PUBLIC int guard_run(Guard *g, int (*run)(const Launch *, void *), Launch *a, void *b) {
  static thread_local char alternate[64 << 10];
  stack_t stack, old_stack;
  memset(&stack, 0, sizeof(stack));
  stack.ss_sp = alternate;
  stack.ss_size = sizeof(alternate);
  sigaltstack(&stack, &old_stack);
  install();
  g->thread = pthread_self();
  a->stacks = stacks_of(a->stack_bytes);
  guard_ = g;
  int result;
  if (sigsetjmp(g->back, 1)) {
    result = g->cancelled ? -2 : -1;
  } else {
    __atomic_store_n(&g->active, 1, __ATOMIC_SEQ_CST);
    result = g->cancelled ? -2 : run(a, b);
    __atomic_store_n(&g->active, 0, __ATOMIC_SEQ_CST);
  }
  guard_ = nullptr;
  uninstall();
  sigaltstack(&old_stack, nullptr);
  return result;
}
// Makes guard_run of that guard return, from another thread; nothing where it is not running.
PUBLIC void guard_cancel(Guard *g) {
  __atomic_store_n(&g->cancelled, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&g->active, __ATOMIC_SEQ_CST)) pthread_kill(g->thread, SIGSEGV);
}
PUBLIC int guard_bytes() { return sizeof(Guard); }
