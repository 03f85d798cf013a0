// Arithmetic that Swift's SIMD types do lane by lane: its optimiser puts it together again only where the code around it is simple.
#pragma once

typedef float cvector_float2 __attribute__((ext_vector_type(2)));
typedef float cvector_float4 __attribute__((ext_vector_type(4)));
typedef float cvector_float16 __attribute__((ext_vector_type(16)));

#define CVECTOR_INLINE static inline __attribute__((always_inline))

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

/// Stores past the caches: the lines are neither read first nor kept. `address` is a multiple of the vector's size.
CVECTOR_INLINE void cvector_stream16(void *address, cvector_float16 x) { __builtin_nontemporal_store(x, (cvector_float16 *)address); }

/// Makes what was streamed visible to other processors before anything that is stored later.
CVECTOR_INLINE void cvector_stream_end(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
