// libtiff sets its tags through a variadic function, which Swift cannot call: one typed function for each kind of value.
#pragma once
#include <tiffio.h>

static inline int ctiff_set_u16(TIFF *tiff, uint32_t tag, uint16_t value) { return TIFFSetField(tiff, tag, value); }
static inline int ctiff_set_u32(TIFF *tiff, uint32_t tag, uint32_t value) { return TIFFSetField(tiff, tag, value); }
