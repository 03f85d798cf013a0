// Shuffles for pixels of two lanes, of which a vector holds eight: `[place][lane]`. Each is an instruction or two where the vectors are as
// wide as here, and what the compiler makes of it elsewhere.
#pragma once
#include "CLinuxCPU.h"

#define CLINUX_INLINE static inline __attribute__((always_inline))

typedef int clinux_int8 __attribute__((ext_vector_type(8)));
typedef float clinux_float8 __attribute__((ext_vector_type(8)));
typedef double clinux_double8 __attribute__((ext_vector_type(8)));

/// Four scalars of a and four of b, each for two lanes, in turn: a's first, b's first, a's second … `quad` (0…3) says which four.
CLINUX_INLINE clinux_float16 clinux_interleave(clinux_float16 a, clinux_float16 b, int quad) {
#define CLINUX_QUAD(n)                                                                                                                \
  __builtin_shufflevector(                                                                                                            \
      a, b, 4 * n, 4 * n, 16 + 4 * n, 16 + 4 * n, 4 * n + 1, 4 * n + 1, 17 + 4 * n, 17 + 4 * n, 4 * n + 2, 4 * n + 2, 18 + 4 * n,     \
      18 + 4 * n, 4 * n + 3, 4 * n + 3, 19 + 4 * n, 19 + 4 * n)
  switch (quad) {
    case 0: return CLINUX_QUAD(0);
    case 1: return CLINUX_QUAD(1);
    case 2: return CLINUX_QUAD(2);
    default: return CLINUX_QUAD(3);
  }
#undef CLINUX_QUAD
}

/// Each of the first (`half` 0) or last eight scalars for two lanes.
CLINUX_INLINE clinux_float16 clinux_twice(clinux_float16 x, int half) {
  return half == 0 ? __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
                   : __builtin_shufflevector(x, x, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
}

/// Each of eight scalars for two lanes.
CLINUX_INLINE clinux_float16 clinux_twice8(clinux_float8 x) {
  return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
}

/// Neighbouring pixels exchanged.
CLINUX_INLINE clinux_float16 clinux_exchange(clinux_float16 x) {
  return __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

/// Of two rows of four pixels in a and two more in b, the first two columns.
CLINUX_INLINE clinux_float16 clinux_first_columns(clinux_float16 a, clinux_float16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 8, 9, 16, 17, 24, 25, 2, 3, 10, 11, 18, 19, 26, 27);
}

/// The last two columns.
CLINUX_INLINE clinux_float16 clinux_last_columns(clinux_float16 a, clinux_float16 b) {
  return __builtin_shufflevector(a, b, 4, 5, 12, 13, 20, 21, 28, 29, 6, 7, 14, 15, 22, 23, 30, 31);
}

/// The first, third … pixel of a and then of b.
CLINUX_INLINE clinux_float16 clinux_even(clinux_float16 a, clinux_float16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29);
}

/// The second, fourth … pixel of a and then of b.
CLINUX_INLINE clinux_float16 clinux_odd(clinux_float16 a, clinux_float16 b) {
  return __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}

/// Values of four pairs of rays for each ray at two steps: `[step][pair][ray]`.
CLINUX_INLINE clinux_float16 clinux_pairs(clinux_float4 x) {
  return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1, 2, 2, 3, 3);
}

/// `[step][ray]` of one pair at eight steps, for four pairs at the steps 2 · `part` and 2 · `part` + 1: `[step][pair][ray]`.
CLINUX_INLINE clinux_float16 clinux_steps(clinux_float16 x, int part) {
#define CLINUX_STEPS(n)                                                                                                            \
  __builtin_shufflevector(                                                                                                         \
      x, x, 4 * n, 4 * n + 1, 4 * n, 4 * n + 1, 4 * n, 4 * n + 1, 4 * n, 4 * n + 1, 4 * n + 2, 4 * n + 3, 4 * n + 2, 4 * n + 3,    \
      4 * n + 2, 4 * n + 3, 4 * n + 2, 4 * n + 3)
  switch (part) {
    case 0: return CLINUX_STEPS(0);
    case 1: return CLINUX_STEPS(1);
    case 2: return CLINUX_STEPS(2);
    default: return CLINUX_STEPS(3);
  }
#undef CLINUX_STEPS
}

/// One ray's values `[step][ray]` for both.
CLINUX_INLINE clinux_int16 clinux_both(clinux_int16 x, int ray) {
  return ray == 0 ? __builtin_shufflevector(x, x, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14)
                  : __builtin_shufflevector(x, x, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15);
}

/// The same vector, computed as it is written: the compiler would take it to halves or repeat what follows it.
CLINUX_INLINE clinux_float16 clinux_whole(clinux_float16 x) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(x));
#endif
  return x;
}

CLINUX_INLINE clinux_double8 clinux_smaller8(clinux_double8 a, clinux_double8 b) { return a < b ? a : b; }
CLINUX_INLINE clinux_double8 clinux_floor8(clinux_double8 x) { return __builtin_elementwise_floor(x); }
CLINUX_INLINE clinux_float8 clinux_narrow8(clinux_double8 x) { return __builtin_convertvector(x, clinux_float8); }
/// Whole numbers within 32 bits.
CLINUX_INLINE clinux_int8 clinux_integers8(clinux_double8 x) { return __builtin_convertvector(x, clinux_int8); }

#if defined(__AVX512F__) && defined(__AVX512DQ__)
typedef double clinux_twins8 __attribute__((vector_size(64)));
typedef long long clinux_places8 __attribute__((vector_size(64)));

/// Eight of the sixteen pixels in near and far; of each place the low four bits count.
CLINUX_INLINE clinux_float16 clinux_pick(clinux_float16 near, clinux_float16 far, clinux_int16 places) {
  return (clinux_float16)__builtin_ia32_vpermi2varpd512((clinux_twins8)near, (clinux_places8)places, (clinux_twins8)far);
}

/// The pixels whose bit is set in `mask`, zeros for the others, which are not touched.
CLINUX_INLINE clinux_float16 clinux_load_some(const void *address, unsigned mask) {
  return (clinux_float16)__builtin_ia32_loadupd512_mask((const double *)address, (clinux_twins8){}, (unsigned char)mask);
}

/// Stores the pixels whose bit is set in `mask`.
CLINUX_INLINE void clinux_store_some(void *address, clinux_float16 x, unsigned mask) {
  __builtin_ia32_storeupd512_mask((double *)address, (clinux_twins8)x, (unsigned char)mask);
}
#endif
