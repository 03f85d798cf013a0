#include "CLinux.h"

uint32_t clinux_crc32c(uint32_t seed, const void *bytes, size_t count) {
  const uint8_t *byte = bytes;
  uint32_t crc = ~seed;
  while (count--) {
    crc ^= *byte++;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return ~crc;
}
