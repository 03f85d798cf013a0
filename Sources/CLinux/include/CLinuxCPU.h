// What the projector kernels ask of the processor.
#pragma once

/// The highest x86-64 level (2, 3 or 4) whose instructions this processor and system offer; 0 below level 2.
int clinux_x86_level(void);

/// Asks for the cache line at `address` to be brought into the second-level cache. Any address is allowed.
static inline void clinux_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }
