// Words that would leave the simulated device, however a macro spells them.
#pragma GCC poison asm __asm __asm__ constructor destructor ifunc
