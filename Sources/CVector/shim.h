// What Swift's SIMD types do lane by lane.
#pragma once

typedef float cvector_float4 __attribute__((vector_size(16)));
typedef float cvector_float16 __attribute__((vector_size(64)));

/// Replaces 4 floats at a multiple of 16 bytes by their square roots.
static inline __attribute__((always_inline)) void cvector_sqrt4(float *values) {
  *(cvector_float4 *)values = __builtin_elementwise_sqrt(*(cvector_float4 *)values);
}

/// Replaces 16 floats at a multiple of 64 bytes by their square roots.
static inline __attribute__((always_inline)) void cvector_sqrt16(float *values) {
  *(cvector_float16 *)values = __builtin_elementwise_sqrt(*(cvector_float16 *)values);
}
