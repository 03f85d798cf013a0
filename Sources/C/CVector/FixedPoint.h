// Products of 16-bit numbers, two neighbours side by side in 32 bits: one instruction for the two multiply–adds of an
// interpolation, and sums without rounding. Vectors of sixteen, in as many pieces as the processor's are.
#pragma once
#include "shim.h"

/// The largest magnitude of a voxel or bin in fixed point: a sum of as many products as the kernels make stays within
/// 32 bits.
#define CVECTOR_FIXED_LIMIT 32000.0f

typedef short cvector_short8 __attribute__((vector_size(16)));
typedef short cvector_short16 __attribute__((vector_size(32)));
typedef short cvector_short32 __attribute__((vector_size(64)));

#if defined(__AVX512BW__)
#define CVECTOR_PAIRWISE(operation, a, b) \
  (cvector_int16) __builtin_ia32_##operation##512((cvector_short32)(a), (cvector_short32)(b))
#elif defined(__AVX2__)
#define CVECTOR_PART(operation, a, b) \
  (cvector_int8) __builtin_ia32_##operation##256((cvector_short16)(a), (cvector_short16)(b))
#define CVECTOR_HALF(x, h) __builtin_shufflevector(x, x, h, h + 1, h + 2, h + 3, h + 4, h + 5, h + 6, h + 7)
#define CVECTOR_PAIRWISE(operation, a, b)                                                                    \
  __builtin_shufflevector(                                                                                   \
      CVECTOR_PART(operation, CVECTOR_HALF(a, 0), CVECTOR_HALF(b, 0)),                                       \
      CVECTOR_PART(operation, CVECTOR_HALF(a, 8), CVECTOR_HALF(b, 8)), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, \
      12, 13, 14, 15)
#else
typedef int cvector_int4 __attribute__((ext_vector_type(4)));
#define CVECTOR_PART(operation, a, b) \
  (cvector_int4) __builtin_ia32_##operation##128((cvector_short8)(a), (cvector_short8)(b))
#define CVECTOR_QUARTER(x, q) __builtin_shufflevector(x, x, q, q + 1, q + 2, q + 3)
#define CVECTOR_TWO(operation, a, b, q)                                            \
  __builtin_shufflevector(                                                         \
      CVECTOR_PART(operation, CVECTOR_QUARTER(a, q), CVECTOR_QUARTER(b, q)),       \
      CVECTOR_PART(operation, CVECTOR_QUARTER(a, q + 4), CVECTOR_QUARTER(b, q + 4)), 0, 1, 2, 3, 4, 5, 6, 7)
#define CVECTOR_PAIRWISE(operation, a, b)                                                                        \
  __builtin_shufflevector(                                                                                       \
      CVECTOR_TWO(operation, a, b, 0), CVECTOR_TWO(operation, a, b, 8), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, \
      13, 14, 15)
#endif

/// sum + w₀ p₀ + w₁ p₁ for each lane: `weights` and each word at `pairs` hold two 16-bit numbers, the first in the low
/// half.
CVECTOR_INLINE cvector_int16 cvector_add_pairs(cvector_int16 sum, int weights, const void *pairs) {
  cvector_int16 words = *(const cvector_int16 *)pairs, all = (cvector_int16)weights;
  return sum + CVECTOR_PAIRWISE(pmaddwd, all, words);
}

#if defined(__AVX512BW__)
/// The same in one instruction, where `cvector_has_vnni`.
CVECTOR_INLINE cvector_int16 cvector_add_pairs_vnni(cvector_int16 sum, int weights, const void *pairs) {
  cvector_int16 all = (cvector_int16)weights;
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(all), "m"(*(const cvector_int16 *)pairs));
  return sum;
}
#endif

/// Whether the processor multiplies and adds pairs of 16-bit numbers in one instruction, with vectors of sixteen.
CVECTOR_INLINE int cvector_has_vnni(void) { return __builtin_cpu_supports("avx512vnni") != 0; }

/// Of each word's halves a and b, round(a b / 2¹⁵) where both are of the same half.
CVECTOR_INLINE cvector_int16 cvector_rounded_products(cvector_int16 a, cvector_int16 b) {
  return CVECTOR_PAIRWISE(pmulhrsw, a, b);
}

/// max(0, a + b) / 2, rounded down, of the two 16-bit halves of each word.
CVECTOR_INLINE cvector_int16 cvector_half_sums(cvector_int16 a, cvector_int16 b) {
  cvector_short32 sum = ((cvector_short32)a + (cvector_short32)b) >> 1;
  return (cvector_int16)__builtin_elementwise_max(sum, (cvector_short32){});
}

/// x · scales, limited to ±`CVECTOR_FIXED_LIMIT` and rounded to a whole number (ties to even), in the low half of each
/// word; the limit where x is not a number.
CVECTOR_INLINE cvector_int16 cvector_quantised(cvector_float16 x, cvector_float16 scales) {
  cvector_float16 y = __builtin_elementwise_min(x * scales, (cvector_float16)CVECTOR_FIXED_LIMIT);
  y = __builtin_elementwise_max(y, (cvector_float16)-CVECTOR_FIXED_LIMIT);
  // 1.5 · 2²³ leaves the whole number in the low bits.
  return (cvector_int16)(y + 12582912.0f);
}

/// Word by word: the low half is a's, the high one b's low half.
CVECTOR_INLINE cvector_int16 cvector_side_by_side(cvector_int16 a, cvector_int16 b) {
  return (a & 0xffff) | (b << 16);
}

/// Word by word: the low half is a's high one, the high half b's.
CVECTOR_INLINE cvector_int16 cvector_high_side_by_side(cvector_int16 a, cvector_int16 b) {
  return (cvector_int16)((cvector_unsigned16)a >> 16 | ((cvector_unsigned16)b & 0xffff0000u));
}

/// The larger magnitudes, as bits: what is not a number is larger than all others.
CVECTOR_INLINE cvector_int16 cvector_larger_magnitudes(cvector_int16 peaks, cvector_float16 x) {
  return __builtin_elementwise_max(peaks, (cvector_int16)x & 0x7fffffff);
}

CVECTOR_INLINE cvector_float16 cvector_floats(cvector_int16 x) { return __builtin_convertvector(x, cvector_float16); }
/// Whole numbers within 32 bits.
CVECTOR_INLINE cvector_int16 cvector_integers(cvector_float16 x) { return __builtin_convertvector(x, cvector_int16); }

/// Asks for a cache line in the first-level cache, to be read soon. Any address is allowed.
CVECTOR_INLINE void cvector_prefetch_near(const void *address) { __builtin_prefetch(address, 0, 3); }

#undef CVECTOR_PAIRWISE
#undef CVECTOR_PART
#undef CVECTOR_HALF
#undef CVECTOR_QUARTER
#undef CVECTOR_TWO
