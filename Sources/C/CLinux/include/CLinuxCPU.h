// What the projector kernels ask of the processor.
#pragma once

/// The highest x86-64 level (2, 3 or 4) whose instructions this processor and system offer; 0 below level 2.
int clinux_x86_level(void);

/// Asks for the cache line at `address` to be brought into the second-level cache, to be read. Any address is allowed.
static inline void clinux_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

/// The same for a line that will be written.
static inline void clinux_prefetch_write(const void *address) { __builtin_prefetch(address, 1, 2); }

/// The same address, in a register of its own: instructions that add a base and an index to their operand's address take Intel
/// processors two steps instead of one.
static inline const void *clinux_address(const void *address) {
  __asm__("" : "+r"(address));
  return address;
}

typedef float clinux_float4 __attribute__((ext_vector_type(4)));
typedef float clinux_float16 __attribute__((ext_vector_type(16)));
typedef int clinux_int16 __attribute__((ext_vector_type(16)));

/// max(0, x) for each lane. Swift's own minimum and maximum of vectors compile lane by lane.
static inline clinux_float16 clinux_positive(clinux_float16 x) { return __builtin_elementwise_max(x, (clinux_float16)0.0f); }

/// Each lane limited to 0…last.
static inline clinux_int16 clinux_clamp(clinux_int16 x, int last) {
  return __builtin_elementwise_min(__builtin_elementwise_max(x, (clinux_int16)0), (clinux_int16)last);
}

/// Each of four weights for four lanes.
static inline clinux_float16 clinux_spread(clinux_float4 x) {
  return __builtin_shufflevector(x, x, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
}
