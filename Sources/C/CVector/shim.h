// What the kernels ask of the processor: its level, prefetches, and vector arithmetic that Swift's SIMD types do lane
// by lane. Swift's optimiser puts that together again only where the code around it is simple.
#pragma once

typedef float cvector_float2 __attribute__((ext_vector_type(2)));
typedef float cvector_float4 __attribute__((ext_vector_type(4)));
typedef float cvector_float8 __attribute__((ext_vector_type(8)));
typedef float cvector_float16 __attribute__((ext_vector_type(16)));
typedef double cvector_double8 __attribute__((ext_vector_type(8)));
typedef int cvector_int8 __attribute__((ext_vector_type(8)));
typedef int cvector_int16 __attribute__((ext_vector_type(16)));
typedef unsigned cvector_unsigned16 __attribute__((ext_vector_type(16)));

#define CVECTOR_INLINE static inline __attribute__((always_inline))

/// The highest x86-64 level (2, 3 or 4) whose instructions this processor and system offer; 0 below level 2.
CVECTOR_INLINE int cvector_x86_level(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return 4;
  if (__builtin_cpu_supports("x86-64-v3")) return 3;
  return __builtin_cpu_supports("x86-64-v2") ? 2 : 0;
}

/// Asks for the cache line at `address` to be brought into the second-level cache, to be read. Any address is allowed.
CVECTOR_INLINE void cvector_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

/// The same for a line that will be written.
CVECTOR_INLINE void cvector_prefetch_write(const void *address) { __builtin_prefetch(address, 1, 2); }

/// The same address, in a register of its own: instructions that add a base and an index to their operand's address
/// take Intel processors two steps instead of one.
CVECTOR_INLINE const void *cvector_address(const void *address) {
  __asm__("" : "+r"(address));
  return address;
}

/// x, which with AVX2 is computed before what follows is loaded: the compiler would load more than registers hold.
CVECTOR_INLINE cvector_float16 cvector_settle16(cvector_float16 x) {
#if defined(__AVX__) && !defined(__AVX512F__)
  cvector_float8 low = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7);
  cvector_float8 high = __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
  __asm__ volatile("" : "+x"(low), "+x"(high) : : "memory");
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  return x;
#endif
}

#define CVECTOR_OPERATIONS(width, vector)                                                           \
  CVECTOR_INLINE vector cvector_add##width(vector a, vector b) { return a + b; }                    \
  CVECTOR_INLINE vector cvector_subtract##width(vector a, vector b) { return a - b; }               \
  CVECTOR_INLINE vector cvector_multiply##width(vector a, vector b) { return a * b; }               \
  CVECTOR_INLINE vector cvector_divide##width(vector a, vector b) { return a / b; }                 \
  CVECTOR_INLINE vector cvector_magnitude##width(vector a) { return __builtin_elementwise_abs(a); } \
  CVECTOR_INLINE vector cvector_sqrt##width(vector a) { return __builtin_elementwise_sqrt(a); }

CVECTOR_OPERATIONS(2, cvector_float2)
CVECTOR_OPERATIONS(4, cvector_float4)
CVECTOR_OPERATIONS(16, cvector_float16)

/// max(0, x) for each lane.
CVECTOR_INLINE cvector_float16 cvector_positive16(cvector_float16 x) {
  return __builtin_elementwise_max(x, (cvector_float16)0.0f);
}

/// The larger of each two; b where a is not a number.
CVECTOR_INLINE cvector_float16 cvector_larger16(cvector_float16 a, cvector_float16 b) { return a > b ? a : b; }

/// Each lane, but no less than `least`; not a number where x is not.
CVECTOR_INLINE cvector_float16 cvector_cut16(cvector_float16 x, float least) {
  cvector_float16 all = (cvector_float16)least;
  return x < all ? all : x;
}

/// Each lane limited to 0…last.
CVECTOR_INLINE cvector_int16 cvector_clamp16(cvector_int16 x, int last) {
  return __builtin_elementwise_min(__builtin_elementwise_max(x, (cvector_int16)0), (cvector_int16)last);
}

CVECTOR_INLINE cvector_double8 cvector_smaller8(cvector_double8 a, cvector_double8 b) { return a < b ? a : b; }
CVECTOR_INLINE cvector_double8 cvector_floor8(cvector_double8 x) { return __builtin_elementwise_floor(x); }
CVECTOR_INLINE cvector_float8 cvector_narrow8(cvector_double8 x) { return __builtin_convertvector(x, cvector_float8); }
/// Whole numbers within 32 bits.
CVECTOR_INLINE cvector_int8 cvector_integers8(cvector_double8 x) { return __builtin_convertvector(x, cvector_int8); }

/// Each of four weights for four lanes.
CVECTOR_INLINE cvector_float16 cvector_spread4(cvector_float4 x) {
  return __builtin_shufflevector(x, x, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
}

/// 2²³ + 2¹⁵: the bits of the sum with a whole number of sixteen bits end in these, but for the sign's.
#define CVECTOR_ROUNDING 8421376.0f
#define CVECTOR_ROUNDING_BITS 0x4b008000

/// Each lane's low sixteen bits, a signed number, plus `CVECTOR_ROUNDING`.
CVECTOR_INLINE cvector_float16 cvector_low_rounded16(cvector_int16 x) {
  return (cvector_float16)((x & 0xffff) ^ CVECTOR_ROUNDING_BITS);
}

/// Each lane's high sixteen bits, a signed number, plus `CVECTOR_ROUNDING`.
CVECTOR_INLINE cvector_float16 cvector_high_rounded16(cvector_int16 x) {
  return (cvector_float16)((cvector_int16)((cvector_unsigned16)x >> 16) ^ CVECTOR_ROUNDING_BITS);
}

/// Each lane's low sixteen bits, a signed number.
CVECTOR_INLINE cvector_float16 cvector_low16(cvector_int16 x) { return cvector_low_rounded16(x) - CVECTOR_ROUNDING; }

/// Each lane's high sixteen bits, a signed number.
CVECTOR_INLINE cvector_float16 cvector_high16(cvector_int16 x) {
  return __builtin_convertvector(x >> 16, cvector_float16);
}

/// A number of at most ±32767, rounded to the nearest, plus `CVECTOR_ROUNDING`; any such where x is not a number.
CVECTOR_INLINE cvector_float16 cvector_rounded16(cvector_float16 x) {
  return (cvector_float16)(((cvector_int16)(x + CVECTOR_ROUNDING) & 0xffff) | 0x4b000000);
}

/// Two of `cvector_rounded16` in the low and high sixteen bits of each lane.
CVECTOR_INLINE cvector_int16 cvector_halves16(cvector_float16 low, cvector_float16 high) {
  return (((cvector_int16)low & 0xffff) ^ (cvector_int16)((cvector_unsigned16)high << 16)) ^ (int)0x80008000;
}

/// Stores past the caches: the lines are neither read first nor kept. `address` is a multiple of the vector's size.
CVECTOR_INLINE void cvector_stream16(void *address, cvector_float16 x) {
  __builtin_nontemporal_store(x, (cvector_float16 *)address);
}

/// Makes what was streamed visible to other processors before anything that is stored later.
CVECTOR_INLINE void cvector_stream_end(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
