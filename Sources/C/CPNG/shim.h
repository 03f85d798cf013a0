// libpng's simplified interface: it returns its errors where the classic one jumps out of the call with longjmp, which
// Swift cannot survive.
#pragma once
#include <png.h>
#include <stdint.h>

// A macro that Swift cannot import.
static inline uint32_t cpng_format_grey(void) { return PNG_FORMAT_GRAY; }
