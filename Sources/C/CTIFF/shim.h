// libtiff sets its tags through a variadic function, which Swift cannot call: one typed function for each kind of
// value. Messages go to the handle's own buffer and never to stderr.
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <tiffio.h>

typedef struct {
  char text[1024];
} ctiff_message;

static inline int ctiff_keep_first(
    TIFF *tiff, void *message, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)module;
  ctiff_message *kept = (ctiff_message *)message;
  if (kept->text[0] == 0) { vsnprintf(kept->text, sizeof kept->text, format, arguments); }
  return 1;
}

static inline int ctiff_ignore(TIFF *tiff, void *message, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)message, (void)module, (void)format, (void)arguments;
  return 1;
}

/// Opens `descriptor`, which TIFFClose will close. The first error, now or later, is kept in `message`, which must
/// outlive the handle.
static inline TIFF *ctiff_open(int descriptor, const char *name, const char *mode, ctiff_message *message) {
  message->text[0] = 0;
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) { return NULL; }
  TIFFOpenOptionsSetErrorHandlerExtR(options, ctiff_keep_first, message);
  TIFFOpenOptionsSetWarningHandlerExtR(options, ctiff_ignore, NULL);
  TIFF *tiff = TIFFFdOpenExt(descriptor, name, mode, options);
  TIFFOpenOptionsFree(options);
  return tiff;
}

static inline int ctiff_set_u16(TIFF *tiff, uint32_t tag, uint16_t value) { return TIFFSetField(tiff, tag, value); }
static inline int ctiff_set_u32(TIFF *tiff, uint32_t tag, uint32_t value) { return TIFFSetField(tiff, tag, value); }
static inline int ctiff_set_text(TIFF *tiff, uint32_t tag, const char *value) { return TIFFSetField(tiff, tag, value); }
static inline int ctiff_set_float(TIFF *tiff, uint32_t tag, double value) { return TIFFSetField(tiff, tag, value); }

static inline int ctiff_get_u16(TIFF *tiff, uint32_t tag, uint16_t *value) { return TIFFGetField(tiff, tag, value); }
static inline int ctiff_get_u32(TIFF *tiff, uint32_t tag, uint32_t *value) { return TIFFGetField(tiff, tag, value); }
static inline int ctiff_get_float(TIFF *tiff, uint32_t tag, float *value) { return TIFFGetField(tiff, tag, value); }
static inline const char *ctiff_get_text(TIFF *tiff, uint32_t tag) {
  const char *text = NULL;
  return TIFFGetField(tiff, tag, &text) ? text : NULL;
}
