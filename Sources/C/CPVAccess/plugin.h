// What Slipring asks of the library that it loads for pva:// sources. It is made from plugin.cpp where pvxs is, by
// Tools/pvaccess.
//
// Nothing here is checked for sense: what a sender said is handed on as it is, and the caller believes none of it.
#pragma once
#include <stdint.h>

#define SLIPRING_PVA_VERSION 4
#define SLIPRING_PVA_SYMBOL "slipring_pva"
#define SLIPRING_PVA_TEXT 64
#define SLIPRING_PVA_DIMENSIONS 4

// What came of a wait.
typedef enum slipring_pva_step {
  SLIPRING_PVA_NOTHING = 0,
  // An NTNDArray.
  SLIPRING_PVA_IMAGE,
  // Something that is none.
  SLIPRING_PVA_OTHER,
  SLIPRING_PVA_CONNECTED,
  SLIPRING_PVA_DISCONNECTED,
  // Nothing will come any more: the sender is done.
  SLIPRING_PVA_FINISHED,
  // Nothing will come any more; `text` says why.
  SLIPRING_PVA_FAILED,
} slipring_pva_step;

// The elements of an image, numbered as pvData numbers its scalar types and `codec.parameters` names them.
typedef enum slipring_pva_pixel {
  SLIPRING_PVA_NONE = 0,
  SLIPRING_PVA_INT8,
  SLIPRING_PVA_INT16,
  SLIPRING_PVA_INT32,
  SLIPRING_PVA_INT64,
  SLIPRING_PVA_UINT8,
  SLIPRING_PVA_UINT16,
  SLIPRING_PVA_UINT32,
  SLIPRING_PVA_UINT64,
  SLIPRING_PVA_FLOAT32,
  SLIPRING_PVA_FLOAT64,
} slipring_pva_pixel;

// A number that may be missing.
typedef struct slipring_pva_number {
  double value;
  // 0 for none, 1 for a number, -1 for something that is no number.
  int32_t state;
} slipring_pva_number;

typedef struct slipring_pva_image {
  // uniqueId
  int64_t number;
  // How many `dimension` has, the fastest first, and the sizes of the first ones; -1 for one that says none.
  uint64_t dimension_count;
  int64_t dimensions[SLIPRING_PVA_DIMENSIONS];
  // The selected member of `value`: none, or this many bytes of these elements.
  slipring_pva_pixel pixel;
  const void *bytes;
  uint64_t byte_count;
  // codec.name, cut where it is long, and codec.parameters.
  char codec[SLIPRING_PVA_TEXT];
  slipring_pva_number codec_parameter;
  // Seconds since 1970: dataTimeStamp, or timeStamp where that says nothing.
  slipring_pva_number timestamp;
  // The attributes of these names.
  slipring_pva_number theta;
  slipring_pva_number image_key;
  slipring_pva_number projections;
  slipring_pva_number flats;
  slipring_pva_number darks;
  slipring_pva_number energy;
  slipring_pva_number pixel_size;
  // Text, cut where it is long; empty for none.
  char sample[SLIPRING_PVA_TEXT];
} slipring_pva_image;

typedef struct slipring_pva_channel slipring_pva_channel;

// What a variable that is served holds.
typedef enum slipring_pva_kind {
  // NTScalar: a double, a 64-bit number, a text.
  SLIPRING_PVA_NUMBER = 0,
  SLIPRING_PVA_COUNT,
  SLIPRING_PVA_LINE,
  // NTEnum.
  SLIPRING_PVA_CHOICE,
  // NTNDArray of floats.
  SLIPRING_PVA_PICTURE,
  // NTScalar of 32 bits, which others set.
  SLIPRING_PVA_COMMAND,
} slipring_pva_kind;

typedef struct slipring_pva_server slipring_pva_server;

typedef struct slipring_pva_functions {
  // SLIPRING_PVA_VERSION of this header.
  uint32_t version;
  // The name and version of the library behind it, or NULL where that is not the one it was compiled for.
  const char *(*library)(void);
  // Subscribes to a process variable, as the variables EPICS_PVA_… of the environment say. At most `queue` updates
  // wait; what comes when they do takes the place of the newest. NULL, with a line in `text`, where that fails.
  slipring_pva_channel *(*open)(const char *name, uint32_t queue, char *text, uint64_t text_size);
  // Waits up to `milliseconds` for the next update, whose bytes stay until the next call.
  slipring_pva_step (*next)(
      slipring_pva_channel *, uint32_t milliseconds, slipring_pva_image *, char *text, uint64_t text_size);
  void (*close)(slipring_pva_channel *);
  // Sets a variable to a number, of an enumeration to the choice of that number, and waits until that is done; without
  // a number, until the variable was found. 0, or -1 with a line in `text`.
  int32_t (*put)(const char *name, const char *number, uint32_t milliseconds, char *text, uint64_t text_size);
  // Starts a server, on this machine alone unless EPICS_PVAS_INTF_ADDR_LIST says more; `end_server` ends it. NULL, with
  // a line in `text`, where that fails. What follows is for one thread.
  slipring_pva_server *(*serve)(char *text, uint64_t text_size);
  // Adds a variable; the words of a choice are the lines of `choices`. A command that another program serves already is
  // refused, which takes a second to know. 0, or -1 with a line in `text`.
  int32_t (*add)(
      slipring_pva_server *, const char *name, slipring_pva_kind, const char *choices, char *text, uint64_t text_size);
  // Changes a variable that was added: a number, a count, a choice by its number, a command; a line; a picture, line by
  // line. 0, or -1 with a line in `text`.
  int32_t (*post_number)(slipring_pva_server *, const char *name, double value, char *text, uint64_t text_size);
  int32_t (*post_line)(slipring_pva_server *, const char *name, const char *value, char *text, uint64_t text_size);
  int32_t (*post_picture)(
      slipring_pva_server *, const char *name, const float *pixels, uint32_t columns, uint32_t rows, int64_t number,
      char *text, uint64_t text_size);
  // The oldest command that somebody set, to another value than 0, and nobody took yet: 1, with its value, its name in
  // `name` and who set it in `text`; 0 where there is none. While one waits, what else is set there is not a command.
  int32_t (*take)(
      slipring_pva_server *, int32_t *value, char *name, uint64_t name_size, char *text, uint64_t text_size);
  void (*end_server)(slipring_pva_server *);
} slipring_pva_functions;

// What SLIPRING_PVA_SYMBOL is the address of.
typedef const slipring_pva_functions *(*slipring_pva_entry)(void);
