// What Swift's Glibc module does not offer of Linux, behind plain C types. <liburing.h> and <numa.h> are never exposed here:
// liburing's types clash with those of the Glibc module.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC32C (Castagnoli, reflected, initial value and final xor 0xFFFFFFFF) of `count` bytes, continuing from `seed` (0 at first).
uint32_t clinux_crc32c(uint32_t seed, const void *bytes, size_t count);
