#include "CLinux.h"

#include <string.h>

// The reflected Castagnoli polynomial: bit 31 is x⁰, bit 0 is x³¹.
static const uint32_t polynomial = 0x82F63B78u;

// table[k][b]: the remainder of byte b followed by k zero bytes.
static uint32_t table[8][256];

static uint32_t timesX(uint32_t value) { return value >> 1 ^ (value & 1 ? polynomial : 0); }

static uint32_t portable(uint32_t crc, const uint8_t *byte, size_t count) {
  for (; count >= 8; count -= 8, byte += 8) {
    uint64_t word;
    memcpy(&word, byte, 8);
    word ^= crc;
    crc = 0;
    for (int k = 0; k < 8; k++) crc ^= table[7 - k][word >> 8 * k & 0xFF];
  }
  while (count--) crc = crc >> 8 ^ table[0][(crc ^ *byte++) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

// The crc32 instruction takes 8 bytes a cycle but answers after three cycles: three lanes of a block keep it busy. The
// lanes' remainders are moved to the block's end by a carry-less product with x^(8n−33) for n bytes; the crc32
// instruction that reduces the product supplies the missing x³³.
enum { longLane = 4096, shortLane = 256 };
static uint32_t longShift[2], shortShift[2];
static int hasInstructions;

static uint32_t powerOfX(size_t exponent) {
  uint32_t value = 0x80000000u;
  while (exponent--) value = timesX(value);
  return value;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t moved(uint32_t crc, uint32_t shift) {
  __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)shift), 0);
  return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2"))) static inline uint64_t step(uint64_t crc, const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return _mm_crc32_u64(crc, word);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t block(
    uint32_t crc, const uint8_t *bytes, size_t lane, const uint32_t *shift) {
  uint64_t first = crc, second = 0, third = 0;
  for (size_t at = 0; at < lane; at += 8) {
    first = step(first, bytes + at);
    second = step(second, bytes + lane + at);
    third = step(third, bytes + 2 * lane + at);
  }
  return moved((uint32_t)first, shift[1]) ^ moved((uint32_t)second, shift[0]) ^ (uint32_t)third;
}

__attribute__((target("sse4.2"))) static uint32_t accelerated(uint32_t crc, const uint8_t *byte, size_t count) {
  for (; count >= 3 * longLane; count -= 3 * longLane, byte += 3 * longLane)
    crc = block(crc, byte, longLane, longShift);
  for (; count >= 3 * shortLane; count -= 3 * shortLane, byte += 3 * shortLane)
    crc = block(crc, byte, shortLane, shortShift);
  uint64_t wide = crc;
  for (; count >= 8; count -= 8, byte += 8) wide = step(wide, byte);
  crc = (uint32_t)wide;
  while (count--) crc = _mm_crc32_u8(crc, *byte++);
  return crc;
}
#endif

__attribute__((constructor)) static void prepare(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = timesX(crc);
    table[0][byte] = crc;
  }
  for (int k = 1; k < 8; k++)
    for (int byte = 0; byte < 256; byte++)
      table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 0xFF];
#if defined(__x86_64__)
  for (size_t lanes = 1; lanes <= 2; lanes++) {
    longShift[lanes - 1] = powerOfX(8 * lanes * longLane - 33);
    shortShift[lanes - 1] = powerOfX(8 * lanes * shortLane - 33);
  }
  __builtin_cpu_init();
  hasInstructions = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
#endif
}

uint32_t clinux_crc32c(uint32_t seed, const void *bytes, size_t count) {
#if defined(__x86_64__)
  if (hasInstructions) return ~accelerated(~seed, bytes, count);
#endif
  return ~portable(~seed, bytes, count);
}

uint32_t clinux_crc32c_portable(uint32_t seed, const void *bytes, size_t count) {
  return ~portable(~seed, bytes, count);
}
