// Views of a Slipring run's shared memory for programs in C and C++: nothing is copied, nothing is linked.
//
// A denoising program (--denoise program:PATH) is started when all volumes are finished, with SLIPRING_RUN in its
// environment. It fills the slices of the region <SLIPRING_RUN>denoised-volume, counts them in `complete`, and exits
// with 0. The volumes are the regions <SLIPRING_RUN>volume.0, .1, …, one below the other. SLIPRING_RUN ends with a
// slash: it is the run's folder in /dev/shm, slipring-<run id>-<salt>/, which only this user may enter. Any other
// process of the same user may look at the volumes too, while the run computes: a generation may be written again once
// another one is complete, so compare slipring_newest before and after.
//
// The bytes are drawn at VolumeRegion, DenoisedVolume and StageVolume in Sources/RunModel. Every function
// gives NULL or 0 where a region is not what it should be.
#pragma once
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  SLIPRING_PAGE = 4096,
  SLIPRING_VOLUME_MAGIC = 0x56504C53,
  SLIPRING_DENOISED_MAGIC = 0x44504C53,
  SLIPRING_STAGE_MAGIC = 0x4C504C53
};

// The header of a worker's volume.
struct slipring_volume {
  uint32_t magic, layout;
  uint64_t run[2];
  uint32_t partition, rows, columns;
  // coarse: 1 where generations may lie on a coarse grid (--when-slow coarse).
  // live_factor: rows and columns that are one in the generations of windows (--live-binning); 0 for 1.
  uint16_t lanes;
  uint8_t coarse, live_factor;
  uint64_t generation_bytes;
};

// The header of the denoised volume. `complete` counts slices from the top, `noise` is what Slipring found in the
// volume.
struct slipring_denoised {
  uint32_t magic, layout;
  uint64_t run[2];
  uint32_t slices, columns, crc, unused[23];
  uint64_t complete;
  float noise;
};

// The header of what a stage with writes= makes, in the region <SLIPRING_RUN><stage>-volume: `pixel` is 1 for u8 and 3
// for f32, `newest` generation << 2 | complete << 1 | slot.
struct slipring_stage {
  uint32_t magic, layout;
  uint64_t run[2];
  uint32_t slices, columns, pixel, zero, crc, unused[21];
  uint64_t newest, unused_too[7];
  struct {
    uint64_t source, unused[7];
  } slots[2];
};

// Maps a region of this user, whose name is FOLDER/REGION. The mapping stays until the process ends.
static inline void *slipring_map(const char *name, int writable, size_t *bytes) {
  char path[300] = "/dev/shm/";
  const char *slash = strchr(name, '/');
  if (strlen(name) > 255 || *name == '.' || *name == '/' || (slash && (slash[1] == '.' || strchr(slash + 1, '/'))))
    return NULL;
  strcat(path, name);
  int descriptor = open(path, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return NULL;
  struct stat status;
  void *base = NULL;
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
      (status.st_mode & 077) == 0 && status.st_size >= SLIPRING_PAGE) {
    *bytes = (size_t)status.st_size;
    base = mmap(NULL, *bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor, 0);
    if (base == MAP_FAILED) base = NULL;
  }
  close(descriptor);
  return base;
}

// Values from one row of a slice to the next, in pixels.
static inline size_t slipring_pitch(const struct slipring_volume *volume) { return (volume->columns + 4) | 1; }

static inline size_t slipring_block_bytes(const struct slipring_volume *volume) {
  size_t bytes = ((volume->columns + 4) * slipring_pitch(volume) + 4) * volume->lanes * 4;
  return (bytes + SLIPRING_PAGE - 1) / SLIPRING_PAGE * SLIPRING_PAGE;
}

static inline const struct slipring_volume *slipring_attach_volume(const char *name) {
  size_t bytes = 0;
  const struct slipring_volume *volume = (const struct slipring_volume *)slipring_map(name, 0, &bytes);
  if (!volume || volume->magic != SLIPRING_VOLUME_MAGIC) return NULL;
  if (volume->layout != 4 && volume->layout != 5) return NULL;
  if (volume->rows == 0 || volume->rows > 1 << 20 || volume->columns == 0 || volume->columns > 5000) return NULL;
  if (volume->lanes != 2 && volume->lanes != 4 &&
      (volume->lanes % 16 != 0 || volume->lanes == 0 || volume->lanes > 256))
    return NULL;
  size_t blocks = (volume->rows + volume->lanes - 1) / volume->lanes;
  if (blocks * slipring_block_bytes(volume) != volume->generation_bytes) return NULL;
  // Behind the generations are checksums.
  return bytes >= SLIPRING_PAGE + 3 * volume->generation_bytes ? volume : NULL;
}

static inline struct slipring_denoised *slipring_attach_denoised(const char *name) {
  size_t bytes = 0;
  struct slipring_denoised *denoised = (struct slipring_denoised *)slipring_map(name, 1, &bytes);
  if (!denoised || denoised->magic != SLIPRING_DENOISED_MAGIC || denoised->layout != 2) return NULL;
  size_t needed = SLIPRING_PAGE + (size_t)4 * denoised->slices * denoised->columns * denoised->columns;
  // Behind the slices are checksums, which Slipring writes.
  return bytes >= needed ? denoised : NULL;
}

// The number of the newest complete generation, and its slot.
static inline uint64_t slipring_newest(const struct slipring_volume *volume, unsigned *slot) {
  const char *base = (const char *)volume;
  *slot = (unsigned)(__atomic_load_n((const uint64_t *)(base + 128), __ATOMIC_ACQUIRE) & 3) % 3;
  return *(const uint64_t *)(base + 256 + 128 * *slot);
}

// The voxel at column 0 of row 0 of a slice. The next column is *column_stride values on, the next row *row_stride.
// NULL for a generation of binned projections or on a coarse grid, whose slices are others.
static inline const float *slipring_slice(
    const struct slipring_volume *volume, uint32_t row, unsigned slot, size_t *row_stride, size_t *column_stride) {
  *row_stride = *column_stride = 0;
  if (row >= volume->rows || slot > 2) return NULL;
  const uint16_t *phase = (const uint16_t *)((const char *)volume + 256 + 128 * slot + 8);
  // The highest bit of the word behind the phase says that the generation lies on a coarse grid.
  if (*phase != 2 && (volume->live_factor > 1 || phase[1] & 0x8000)) return NULL;
  size_t block = row / volume->lanes, left = volume->rows - block * volume->lanes;
  // The last block has no more lanes than its rows need.
  size_t lanes = left <= 2 ? 2 : left <= 4 ? 4 : (left + 15) / 16 * 16;
  if (lanes > volume->lanes) lanes = volume->lanes;
  *column_stride = lanes;
  *row_stride = slipring_pitch(volume) * lanes;
  const char *start =
      (const char *)volume + SLIPRING_PAGE + slot * volume->generation_bytes + block * slipring_block_bytes(volume);
  return (const float *)start + 2 * *row_stride + 2 * lanes + row % volume->lanes;
}

// The first voxel of a denoised slice; its rows follow each other.
static inline float *slipring_denoised_slice(struct slipring_denoised *denoised, uint32_t slice) {
  if (slice >= denoised->slices) return NULL;
  return (float *)((char *)denoised + SLIPRING_PAGE) + (size_t)slice * denoised->columns * denoised->columns;
}

// Says that the first `count` slices are as they will stay.
static inline void slipring_mark_complete(struct slipring_denoised *denoised, uint64_t count) {
  __atomic_store_n(&denoised->complete, count, __ATOMIC_RELEASE);
}

static inline size_t slipring_stage_bytes(const struct slipring_stage *stage) {
  size_t bytes = (size_t)stage->slices * stage->columns * stage->columns * (stage->pixel == 1 ? 1 : 4);
  return (bytes + SLIPRING_PAGE - 1) / SLIPRING_PAGE * SLIPRING_PAGE;
}

// The volume of a stage: of another one to read it, of one's own with `writable`.
static inline struct slipring_stage *slipring_attach_stage(const char *name, int writable) {
  size_t bytes = 0;
  struct slipring_stage *stage = (struct slipring_stage *)slipring_map(name, writable, &bytes);
  if (!stage || stage->magic != SLIPRING_STAGE_MAGIC || stage->layout != 1) return NULL;
  if (stage->slices == 0 || stage->slices > 1 << 20 || stage->columns == 0 || stage->columns > 5000) return NULL;
  if (stage->pixel != 1 && stage->pixel != 3) return NULL;
  return bytes == SLIPRING_PAGE + 2 * slipring_stage_bytes(stage) ? stage : NULL;
}

// The word of the newest generation: 0 where there is none. It is the same behind the reading where what was read is
// its own.
static inline uint64_t slipring_stage_newest(const struct slipring_stage *stage) {
  return __atomic_load_n(&stage->newest, __ATOMIC_ACQUIRE);
}

// The first voxel of the generation that a word of `slipring_stage_newest` names; (z, row, column) without gaps.
static inline const void *slipring_stage_voxels(const struct slipring_stage *stage, uint64_t newest) {
  return (const char *)stage + SLIPRING_PAGE + (newest & 1) * slipring_stage_bytes(stage);
}

// Where the next generation is to be written, whole.
static inline void *slipring_stage_begin(struct slipring_stage *stage) {
  return (char *)stage + SLIPRING_PAGE + (1 - (slipring_stage_newest(stage) & 1)) * slipring_stage_bytes(stage);
}

// Makes what was written the newest generation, made from generation `source` of what is read; `complete` says that
// that was the finished volume.
static inline void slipring_stage_publish(struct slipring_stage *stage, uint64_t source, int complete) {
  uint64_t before = slipring_stage_newest(stage), slot = 1 - (before & 1);
  stage->slots[slot].source = source;
  __atomic_store_n(&stage->newest, ((before >> 2) + 1) << 2 | (complete ? 2 : 0) | slot, __ATOMIC_RELEASE);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#ifndef __cplusplus
_Static_assert(offsetof(struct slipring_stage, newest) == 128, "as drawn at StageVolume");
_Static_assert(offsetof(struct slipring_stage, slots) == 192, "as drawn at StageVolume");
_Static_assert(offsetof(struct slipring_volume, generation_bytes) == 40, "as drawn at VolumeRegion");
_Static_assert(offsetof(struct slipring_denoised, complete) == 128, "as drawn at DenoisedVolume");
_Static_assert(offsetof(struct slipring_denoised, noise) == 136, "as drawn at DenoisedVolume");
#endif
