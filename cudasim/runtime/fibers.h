// Stacks, and the switch between them.
//
// Owns: fiber_new, fiber_switch, by hand for x86-64 and aarch64 (a few nanoseconds), by ucontext
// elsewhere or with -DCUDASIM_UCONTEXT. A fiber never returns from its function.
#pragma once
#include <stddef.h>
#include <stdint.h>

#if !defined(CUDASIM_UCONTEXT) && (defined(__x86_64__) || defined(__aarch64__))
#define CUDASIM_SWITCH 1
extern "C" void cudasim_switch(void **save_sp, void *sp) __attribute__((visibility("hidden")));
#ifdef __APPLE__
#define CUDASIM_SYMBOL "_cudasim_switch"
#define CUDASIM_HIDE ".private_extern _cudasim_switch\n"
#else
#define CUDASIM_SYMBOL "cudasim_switch"
#define CUDASIM_HIDE ".hidden cudasim_switch\n"
#endif

#ifdef __x86_64__
// rbx, rbp, r12 to r15 belong to the caller; so do the control words, which no kernel changes.
__asm__(".text\n.globl " CUDASIM_SYMBOL "\n" CUDASIM_HIDE ".p2align 4\n" CUDASIM_SYMBOL ":\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nretq\n");
inline void *fiber_new(char *stack, size_t n_bytes, void (*run)()) {
  uintptr_t top = ((uintptr_t)stack + n_bytes) & ~(uintptr_t)15;
  void **sp = (void **)top;
  *--sp = nullptr;           // as if called: the stack is 8 beyond a multiple of 16 at entry
  *--sp = (void *)run;
  for (int i = 0; i < 6; i++) *--sp = nullptr;
  return sp;
}
#else
// x19 to x30 and the low halves of v8 to v15 belong to the caller.
__asm__(".text\n.globl " CUDASIM_SYMBOL "\n" CUDASIM_HIDE ".p2align 4\n" CUDASIM_SYMBOL ":\n"
        "sub sp, sp, #160\n"
        "stp x19, x20, [sp, #0]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\n"
        "stp x25, x26, [sp, #48]\nstp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "mov x9, sp\nstr x9, [x0]\nmov sp, x1\n"
        "ldp x19, x20, [sp, #0]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\n"
        "ldp x25, x26, [sp, #48]\nldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\nldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\nret\n");
inline void *fiber_new(char *stack, size_t n_bytes, void (*run)()) {
  uintptr_t top = ((uintptr_t)stack + n_bytes) & ~(uintptr_t)15;
  void **sp = (void **)(top - 160);
  for (int i = 0; i < 20; i++) sp[i] = nullptr;
  sp[11] = (void *)run;  // x30, where `ret` goes
  return sp;
}
#endif
inline void fiber_switch(void **save, void *to) { cudasim_switch(save, to); }

#else
#include <stdlib.h>
#include <ucontext.h>
// The saved "stack pointer" is a ucontext_t, which lies at the low end of the fiber's own stack.
inline void *fiber_new(char *stack, size_t n_bytes, void (*run)()) {
  ucontext_t *context = (ucontext_t *)stack;
  getcontext(context);
  context->uc_stack.ss_sp = stack + sizeof(ucontext_t);
  context->uc_stack.ss_size = n_bytes - sizeof(ucontext_t);
  context->uc_link = nullptr;
  makecontext(context, run, 0);
  return context;
}
inline void fiber_switch(void **save, void *to) {
  ucontext_t here;  // lives on the stack that is left, until it is entered again
  *save = &here;
  swapcontext(&here, (ucontext_t *)to);
}
#endif
