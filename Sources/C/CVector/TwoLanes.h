// Shuffles for pixels of two lanes, of which a vector holds eight: `[place][lane]`. Each is an instruction or two where
// the vectors are as wide as here, and what the compiler makes of it elsewhere.
#pragma once
#include "shim.h"

/// A macro's value for `number`, 0…3: shuffles need constants.
#define CVECTOR_RETURN(macro, number) \
  switch (number) {                   \
    case 0: return macro(0);          \
    case 1: return macro(1);          \
    case 2: return macro(2);          \
    default: return macro(3);         \
  }

/// Four scalars of a and four of b, each for two lanes, in turn: a's first, b's first, a's second … `line` (0…3) says
/// which four.
CVECTOR_INLINE cvector_float16 cvector_interleave(cvector_float16 a, cvector_float16 b, int line) {
#define CVECTOR_LINE(n)                                                                                               \
  __builtin_shufflevector(                                                                                            \
      a, b, 4 * n, 4 * n, 16 + 4 * n, 16 + 4 * n, 4 * n + 1, 4 * n + 1, 17 + 4 * n, 17 + 4 * n, 4 * n + 2, 4 * n + 2, \
      18 + 4 * n, 18 + 4 * n, 4 * n + 3, 4 * n + 3, 19 + 4 * n, 19 + 4 * n)
  CVECTOR_RETURN(CVECTOR_LINE, line)
#undef CVECTOR_LINE
}

/// Each of the first (`half` 0) or last eight scalars for two lanes.
CVECTOR_INLINE cvector_float16 cvector_twice(cvector_float16 x, int half) {
  return half == 0 ? __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
                   : __builtin_shufflevector(x, x, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
}

/// Each of eight scalars for two lanes.
CVECTOR_INLINE cvector_float16 cvector_twice8(cvector_float8 x) {
  return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
}

/// Neighbouring pixels exchanged.
CVECTOR_INLINE cvector_float16 cvector_exchange(cvector_float16 x) {
  return __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

/// Of two rows of four pixels in a and two more in b, the first two columns.
CVECTOR_INLINE cvector_float16 cvector_first_columns(cvector_float16 a, cvector_float16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 8, 9, 16, 17, 24, 25, 2, 3, 10, 11, 18, 19, 26, 27);
}

/// The last two columns.
CVECTOR_INLINE cvector_float16 cvector_last_columns(cvector_float16 a, cvector_float16 b) {
  return __builtin_shufflevector(a, b, 4, 5, 12, 13, 20, 21, 28, 29, 6, 7, 14, 15, 22, 23, 30, 31);
}

/// The first, third … pixel of a and then of b.
CVECTOR_INLINE cvector_float16 cvector_even(cvector_float16 a, cvector_float16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29);
}

/// The second, fourth … pixel of a and then of b.
CVECTOR_INLINE cvector_float16 cvector_odd(cvector_float16 a, cvector_float16 b) {
  return __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}

/// Values of four pairs of rays for each ray at two steps: `[step][pair][ray]`.
CVECTOR_INLINE cvector_float16 cvector_pairs(cvector_float4 x) {
  return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1, 2, 2, 3, 3);
}

/// `[step][ray]` of one pair at eight steps, for four pairs at the steps 2 · `part` and 2 · `part` + 1:
/// `[step][pair][ray]`.
CVECTOR_INLINE cvector_float16 cvector_steps(cvector_float16 x, int part) {
#define CVECTOR_STEPS(n)                                                                                             \
  __builtin_shufflevector(                                                                                           \
      x, x, 4 * n, 4 * n + 1, 4 * n, 4 * n + 1, 4 * n, 4 * n + 1, 4 * n, 4 * n + 1, 4 * n + 2, 4 * n + 3, 4 * n + 2, \
      4 * n + 3, 4 * n + 2, 4 * n + 3, 4 * n + 2, 4 * n + 3)
  CVECTOR_RETURN(CVECTOR_STEPS, part)
#undef CVECTOR_STEPS
}

/// One ray's values `[step][ray]` for both.
CVECTOR_INLINE cvector_int16 cvector_both(cvector_int16 x, int ray) {
  return ray == 0 ? __builtin_shufflevector(x, x, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14)
                  : __builtin_shufflevector(x, x, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15);
}

/// The same vector, computed as it is written: the compiler would take it to halves or repeat what follows it.
CVECTOR_INLINE cvector_float16 cvector_whole(cvector_float16 x) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(x));
#endif
  return x;
}

#undef CVECTOR_RETURN

#if defined(__AVX512F__) && defined(__AVX512DQ__)
// A pixel of two floats moves as one double.
typedef double cvector_pixels8 __attribute__((vector_size(64)));
typedef long long cvector_places8 __attribute__((vector_size(64)));

/// Eight of the sixteen pixels in near and far; of each place the low four bits count.
CVECTOR_INLINE cvector_float16 cvector_pick(cvector_float16 near, cvector_float16 far, cvector_int16 places) {
  return (cvector_float16)__builtin_ia32_vpermi2varpd512(
      (cvector_pixels8)near, (cvector_places8)places, (cvector_pixels8)far);
}

/// The pixels whose bit is set in `mask`, zeros for the others, which are not touched.
CVECTOR_INLINE cvector_float16 cvector_load_some(const void *address, unsigned mask) {
  return (cvector_float16)__builtin_ia32_loadupd512_mask(
      (const double *)address, (cvector_pixels8){}, (unsigned char)mask);
}

/// Stores the pixels whose bit is set in `mask`.
CVECTOR_INLINE void cvector_store_some(void *address, cvector_float16 x, unsigned mask) {
  __builtin_ia32_storeupd512_mask((double *)address, (cvector_pixels8)x, (unsigned char)mask);
}
#endif
