// A door to the topics of a Slipring run for programs in C and C++: nothing is linked, and what is read is not copied.
//
//   struct slipring_topic topic;
//   struct slipring_event event;
//   if (slipring_topic_open(&topic, "out/run-…", "projections") != 0) die(topic.problem);
//   for (uint64_t n = 0; slipring_topic_wait(&topic, n, 10000) == 1; n++) {
//     if (slipring_topic_read(&topic, n, SLIPRING_ANYWHERE, &event) != 1) die(topic.problem);
//     use(event.payload, event.rows, event.columns);
//     if (!slipring_event_is_current(&event)) …   // what was used came from a ring's slot that was filled anew
//   }                                             // meanwhile: read it again with SLIPRING_JOURNAL
//
// A reader looks from outside: its maps are read-only, no writer waits for it, and with a journal it misses nothing.
// The newest events lie in the ring, in memory; all of them in the journal's segments, whose bytes stay as they are as
// long as the topic is open. An event's header is checked, and its metadata with the checksums of an image's bands; for
// the pixels there is slipring_event_check.
//
// slipring_topic_create begins, or goes on with, a topic of the program's own, in files that no stage reads:
// RUN/topics/NAME.0, which slipring_topic_open reads by its name. It has one writer at a time.
//
// The bytes are drawn at RingLayout, RingGeometry, EventHeader and EventBands in Sources/Rings, and at ControlPage in
// Sources/Journal. x86-64 with SSE 4.2, GCC or Clang; use a topic from one thread at a time.
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nmmintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  SLIPRING_TOPIC_PAGE = 4096,
  SLIPRING_HEAD = 128,
  // Kinds of events: images, the last one of a topic, and what a program writes.
  SLIPRING_PROJECTION = 1,
  SLIPRING_FLAT = 2,
  SLIPRING_DARK = 3,
  SLIPRING_END = 9,
  SLIPRING_PROGRAM = 11,
  // Where to read from: the ring or else the journal; the journal alone.
  SLIPRING_ANYWHERE = 0,
  SLIPRING_JOURNAL = 1,
  // Types of pixels; 0 is none.
  SLIPRING_U8 = 1,
  SLIPRING_U16 = 2,
  SLIPRING_F32 = 3,
  SLIPRING_U32 = 4
};

// The first 128 bytes of an event, as they lie in memory.
struct slipring_header {
  uint64_t stamp;
  uint32_t magic;
  uint16_t layout, kind;
  uint64_t sequence, epoch, run[2];
  uint32_t topic, partition;
  uint64_t acquired_at, durable_through, chain, payload_bytes;
  uint32_t content_crc, metadata_bytes;
  double theta;
  uint64_t projection;
  uint32_t rows, columns;
  uint16_t pixel, interval;
  uint32_t crc;
};

// An event that was read. `page` is a copy, of header and metadata; the payload is where it was written.
struct slipring_event {
  struct slipring_header header;
  const uint8_t *metadata, *payload;
  uint8_t page[SLIPRING_TOPIC_PAGE];
  const uint64_t *stamp_word;
  uint64_t stamp;
};

struct slipring_segment {
  const uint8_t *base;
  size_t bytes, stride;
  uint64_t run[2], first, epoch, number;
  uint32_t topic, partition;
  char name[48];
};

struct slipring_topic {
  char problem[256];
  char journal[1024], ring_name[320], word[64], own_name[80];
  uint64_t run[2];
  int has_run;
  // The ring, where there is one.
  const uint8_t *ring;
  size_t ring_bytes, slot_stride;
  uint64_t slot_count, first, ring_inode;
  uint32_t ring_topic, partition;
  struct slipring_segment *segments;
  size_t segment_count;
  uint64_t sure;
  int64_t looked_at;
};

static inline int64_t slipring_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((target("sse4.2"))) static inline uint32_t slipring_crc32c(
    uint32_t before, const void *data, size_t count) {
  const uint8_t *byte = (const uint8_t *)data;
  uint64_t crc = (uint32_t)~before;
  for (; count >= 8; count -= 8, byte += 8) {
    uint64_t word;
    memcpy(&word, byte, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  for (; count; count--) crc = _mm_crc32_u8((uint32_t)crc, *byte++);
  return (uint32_t)~crc;
}

static inline size_t slipring_pixel_bytes(unsigned pixel) {
  return pixel == SLIPRING_U8 ? 1 : pixel == SLIPRING_U16 ? 2 : pixel == SLIPRING_F32 || pixel == SLIPRING_U32 ? 4 : 0;
}

// Rows of each band that an image is checksummed in, but the last; 0 for an event that is no image.
static inline uint64_t slipring_band_rows(const struct slipring_header *header) {
  if (!header->rows || !header->columns || !slipring_pixel_bytes(header->pixel)) return 0;
  return 64 * (1 + ((uint64_t)header->rows - 1) / 8192);
}

// Whether a copy of 128 bytes is the header of event `sequence` with at most `capacity` bytes of payload.
static inline int slipring_is_header(const struct slipring_header *header, uint64_t sequence, uint64_t capacity) {
  if (header->magic != 0x56454C53 || header->layout != 2 || header->sequence != sequence) return 0;
  if (header->crc != slipring_crc32c(0, (const char *)header + 8, 116)) return 0;
  if (header->metadata_bytes > SLIPRING_TOPIC_PAGE - SLIPRING_HEAD || header->payload_bytes > capacity) return 0;
  unsigned __int128 image = (unsigned __int128)header->rows * header->columns * slipring_pixel_bytes(header->pixel);
  return header->pixel <= 4 && image <= header->payload_bytes;
}

// Whether the page's metadata, and an image's table of checksums, are as they were written; of an event that is no
// image with its payload.
static inline int slipring_event_check_page(const struct slipring_event *event) {
  const struct slipring_header *header = &event->header;
  uint32_t crc = slipring_crc32c(0, event->metadata, header->metadata_bytes);
  uint64_t rows = slipring_band_rows(header);
  if (rows == 0) return slipring_crc32c(crc, event->payload, header->payload_bytes) == header->content_crc;
  size_t count = (header->rows + rows - 1) / rows, start = SLIPRING_TOPIC_PAGE - 4 * count;
  if (SLIPRING_HEAD + header->metadata_bytes > start) return 0;
  return slipring_crc32c(crc, event->page + start, 4 * count) == header->content_crc;
}

// Whether all of an event is as it was written.
static inline int slipring_event_check(const struct slipring_event *event) {
  const struct slipring_header *header = &event->header;
  uint64_t rows = slipring_band_rows(header);
  if (!slipring_event_check_page(event)) return 0;
  if (rows == 0) return 1;
  size_t count = (header->rows + rows - 1) / rows;
  uint64_t band = rows * header->columns * slipring_pixel_bytes(header->pixel);
  for (size_t index = 0; index < count; index++) {
    uint64_t end = index + 1 == count ? header->payload_bytes : (index + 1) * band;
    uint32_t listed;
    memcpy(&listed, event->page + SLIPRING_TOPIC_PAGE - 4 * count + 4 * index, 4);
    if (slipring_crc32c(0, event->payload + index * band, end - index * band) != listed) return 0;
  }
  return 1;
}

// Whether what was read of the event up to now is its own: to be asked behind the reading. One from a journal stays.
static inline int slipring_event_is_current(const struct slipring_event *event) {
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return !event->stamp_word || __atomic_load_n(event->stamp_word, __ATOMIC_RELAXED) == event->stamp;
}

// The chain of the next event: a hash of this one and of all before it.
static inline uint64_t slipring_chain_after(const struct slipring_header *header) {
  uint64_t hash =
      (header->chain ^ ((uint64_t)header->crc << 32 | header->content_crc)) + UINT64_C(0x9E3779B97F4A7C15);
  hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  hash = (hash ^ hash >> 27) * UINT64_C(0x94D049BB133111EB);
  return hash ^ hash >> 31;
}

// Maps a file of this user for reading; NULL with errno.
static inline const uint8_t *slipring_map_file(const char *path, size_t *bytes, uint64_t *inode) {
  int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return NULL;
  struct stat status;
  void *base = MAP_FAILED;
  errno = EPERM;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
      status.st_size >= 2 * SLIPRING_TOPIC_PAGE) {
    *bytes = (size_t)status.st_size;
    *inode = status.st_ino;
    base = mmap(NULL, *bytes, PROT_READ, MAP_SHARED, file, 0);
  }
  close(file);
  return base == MAP_FAILED ? NULL : (const uint8_t *)base;
}

static inline uint64_t slipring_word(const uint8_t *page, size_t offset) {
  uint64_t word;
  memcpy(&word, page + offset, 8);
  return word;
}

static inline uint32_t slipring_half(const uint8_t *page, size_t offset) {
  uint32_t word;
  memcpy(&word, page + offset, 4);
  return word;
}

// Maps the segments that are new, and orders all by their numbers.
static inline void slipring_topic_map_segments(struct slipring_topic *topic) {
  DIR *folder = opendir(topic->journal);
  if (!folder) return;
  for (struct dirent *entry; (entry = readdir(folder));) {
    size_t length = strlen(entry->d_name);
    if (length < 28 || length >= sizeof topic->segments->name || strcmp(entry->d_name + length - 8, ".segment"))
      continue;
    int known = 0;
    for (size_t i = 0; i < topic->segment_count && !known; i++) known = !strcmp(topic->segments[i].name, entry->d_name);
    char path[1300];
    snprintf(path, sizeof path, "%s/%s", topic->journal, entry->d_name);
    struct slipring_segment found;
    uint64_t inode;
    memset(&found, 0, sizeof found);
    if (known || !(found.base = slipring_map_file(path, &found.bytes, &inode))) continue;
    uint8_t page[SLIPRING_HEAD];
    memcpy(page, found.base, sizeof page);
    found.stride = slipring_word(page, 40);
    found.first = slipring_word(page, 48);
    int whole = slipring_half(page, 8) == 0x504A4C53 && slipring_half(page, 12) == 0x00010001 &&
                slipring_half(page, 124) == slipring_crc32c(0, page + 8, 116) && found.stride >= SLIPRING_TOPIC_PAGE &&
                found.stride % SLIPRING_TOPIC_PAGE == 0 && found.first < (UINT64_C(1) << 44);
    struct slipring_segment *all =
        whole ? (struct slipring_segment *)realloc(topic->segments, (topic->segment_count + 1) * sizeof found) : NULL;
    if (!all) {
      // Being made, or damaged: its records are then missed by sequence, and never silently.
      munmap((void *)found.base, found.bytes);
      continue;
    }
    topic->segments = all;
    memcpy(found.run, page + 16, 16);
    found.topic = slipring_half(page, 32);
    found.partition = slipring_half(page, 36);
    found.epoch = slipring_word(page, 72);
    found.number = slipring_word(page, 80);
    memcpy(found.name, entry->d_name, length + 1);
    size_t at = topic->segment_count++;
    for (; at > 0 && all[at - 1].number > found.number; at--) all[at] = all[at - 1];
    all[at] = found;
  }
  closedir(folder);
}

// Finds the ring in this user's folder of the run; a run that was resumed has another one.
static inline void slipring_topic_find_ring(struct slipring_topic *topic) {
  char prefix[48] = "slipring-", name[320] = "";
  for (int i = 0; i < 16; i++) snprintf(prefix + 9 + 2 * i, 3, "%02x", ((const uint8_t *)topic->run)[i]);
  DIR *shared = opendir("/dev/shm");
  int count = 0;
  for (struct dirent *entry; shared && (entry = readdir(shared));) {
    char path[300];
    struct stat status;
    snprintf(path, sizeof path, "/dev/shm/%.255s", entry->d_name);
    if (strncmp(entry->d_name, prefix, 41) || lstat(path, &status) || !S_ISDIR(status.st_mode)) continue;
    if (status.st_uid == geteuid() && count++ == 0) snprintf(name, sizeof name, "%s", path);
  }
  if (shared) closedir(shared);
  if (count != 1) return;
  for (int dotted = 0; dotted < 2; dotted++) {
    char path[420];
    snprintf(path, sizeof path, dotted ? "%s/%s.%u" : "%s/%s", name, topic->word, topic->partition);
    struct stat status;
    if (lstat(path, &status)) continue;
    if (topic->ring && (uint64_t)status.st_ino == topic->ring_inode) return;
    size_t bytes;
    uint64_t inode;
    const uint8_t *base = slipring_map_file(path, &bytes, &inode);
    if (!base) return;
    uint8_t page[SLIPRING_HEAD];
    memcpy(page, base, sizeof page);
    uint64_t slots = slipring_word(page, 40), capacity = slipring_word(page, 48), stride = slipring_word(page, 56);
    uint64_t spills = slipring_word(page, 104);
    int whole = slipring_word(page, 0) == UINT64_C(0x7964616572207369) && slipring_half(page, 8) == 0x47524C53 &&
                (slipring_half(page, 12) & 0xFFFF) == 3 &&
                slipring_half(page, 124) == slipring_crc32c(0, page + 8, 116) && !memcmp(page + 16, topic->run, 16) &&
                slipring_half(page, 36) == topic->partition && slots >= 2 && slots <= 1 << 24 && spills <= 1 << 24 &&
                capacity <= UINT64_C(1) << 40 && stride == SLIPRING_TOPIC_PAGE + (capacity + 4095) / 4096 * 4096 &&
                (unsigned __int128)stride * (slots + spills) + 8192 == bytes;
    if (!whole) {
      munmap((void *)base, bytes);
      return;
    }
    // The ring before it stays mapped until the process ends: events of it may be in use.
    topic->ring = base;
    topic->ring_bytes = bytes;
    topic->ring_inode = inode;
    topic->slot_count = slots;
    topic->slot_stride = stride;
    topic->first = slipring_word(page, 80);
    topic->ring_topic = slipring_half(page, 32);
    return;
  }
}

static inline void slipring_topic_look(struct slipring_topic *topic) {
  topic->looked_at = slipring_milliseconds();
  slipring_topic_map_segments(topic);
  if (topic->has_run) slipring_topic_find_ring(topic);
}

// A record of the journal at its computed place; 0 where there is no whole one.
static inline int slipring_topic_record(
    struct slipring_topic *topic, uint64_t sequence, struct slipring_event *event) {
  for (size_t i = topic->segment_count; i-- > 0;) {
    const struct slipring_segment *segment = &topic->segments[i];
    // The last one that begins at or before it: all earlier ones end where that begins.
    if (segment->first > sequence) continue;
    uint64_t index = sequence - segment->first;
    if (index >= (segment->bytes - SLIPRING_TOPIC_PAGE) / segment->stride) return 0;
    const uint8_t *slot = segment->base + SLIPRING_TOPIC_PAGE + index * segment->stride;
    memcpy(event->page, slot, sizeof event->page);
    memcpy(&event->header, event->page, sizeof event->header);
    event->metadata = event->page + SLIPRING_HEAD;
    event->payload = slot + SLIPRING_TOPIC_PAGE;
    event->stamp_word = NULL;
    return slipring_is_header(&event->header, sequence, segment->stride - SLIPRING_TOPIC_PAGE) &&
           !memcmp(event->header.run, topic->run, 16) && event->header.topic == segment->topic &&
           event->header.partition == topic->partition;
  }
  return 0;
}

// Where the journal ends. Its last events count as far as they are whole: nobody says that they are.
static inline uint64_t slipring_topic_stored_end(struct slipring_topic *topic) {
  struct slipring_event event;
  if (topic->segment_count && !topic->sure) topic->sure = topic->segments[topic->segment_count - 1].first;
  uint64_t there = topic->sure, durable = 0;
  for (; slipring_topic_record(topic, there, &event); there++)
    if (event.header.durable_through > durable) durable = event.header.durable_through;
  for (; topic->sure < there; topic->sure++) {
    if (topic->sure < durable) continue;
    if (!slipring_topic_record(topic, topic->sure, &event) || !slipring_event_check(&event)) break;
  }
  return topic->sure;
}

// The sequence of the next event: those below it may be read.
static inline uint64_t slipring_topic_end(struct slipring_topic *topic) {
  if (slipring_milliseconds() - topic->looked_at >= 200) slipring_topic_look(topic);
  if (!topic->ring) return slipring_topic_stored_end(topic);
  uint64_t end = __atomic_load_n((const uint64_t *)(topic->ring + 128), __ATOMIC_ACQUIRE);
  return end < UINT64_C(1) << 44 ? end : 0;
}

static inline int slipring_topic_slot(struct slipring_topic *topic, uint64_t sequence, struct slipring_event *event) {
  if (sequence < topic->first) return 0;
  const uint8_t *slot = topic->ring + 8192 + sequence % topic->slot_count * topic->slot_stride;
  event->stamp_word = (const uint64_t *)slot;
  event->stamp = __atomic_load_n(event->stamp_word, __ATOMIC_ACQUIRE);
  if (event->stamp >> 20 != sequence || (event->stamp & 3) != 2) return 0;
  memcpy(event->page, slot, sizeof event->page);
  if (!slipring_event_is_current(event)) return 0;
  memcpy(&event->header, event->page, sizeof event->header);
  event->metadata = event->page + SLIPRING_HEAD;
  event->payload = slot + SLIPRING_TOPIC_PAGE;
  return slipring_is_header(&event->header, sequence, topic->slot_stride - SLIPRING_TOPIC_PAGE) &&
         !memcmp(event->header.run, topic->run, 16) && event->header.topic == topic->ring_topic &&
         event->header.partition == topic->partition && slipring_event_check_page(event) &&
         slipring_event_is_current(event);
}

// Reads event `sequence`: 1 and it is in `event`; 0 where it is not there, or not any more; -1 where it is damaged, and
// `problem` says so. The payload is valid as long as the topic is open, of a ring's (stamp_word is not NULL) as long as
// slipring_event_is_current.
static inline int slipring_topic_read(
    struct slipring_topic *topic, uint64_t sequence, int from, struct slipring_event *event) {
  if (topic->ring ? sequence >= slipring_topic_end(topic)
                  : sequence >= topic->sure && sequence >= slipring_topic_end(topic))
    return 0;
  if (topic->ring && (from == SLIPRING_ANYWHERE || !topic->segment_count) &&
      slipring_topic_slot(topic, sequence, event))
    return 1;
  if (!slipring_topic_record(topic, sequence, event)) {
    // A segment may be new.
    slipring_topic_map_segments(topic);
    if (!slipring_topic_record(topic, sequence, event)) return 0;
  }
  if (slipring_event_check_page(event)) return 1;
  snprintf(topic->problem, sizeof topic->problem, "event %llu of '%s' is damaged", (unsigned long long)sequence,
      topic->own_name);
  return -1;
}

// Waits until event `sequence` may be read: 1, or 0 where it may not after `milliseconds`.
static inline int slipring_topic_wait(struct slipring_topic *topic, uint64_t sequence, int64_t milliseconds) {
  int64_t end = slipring_milliseconds() + milliseconds;
  while (slipring_topic_end(topic) <= sequence) {
    if (slipring_milliseconds() >= end) return 0;
    struct timespec nap = {0, 1000000};
    nanosleep(&nap, NULL);
    if (!topic->ring && slipring_milliseconds() - topic->looked_at >= 20) slipring_topic_look(topic);
  }
  return 1;
}

static inline void slipring_topic_close(struct slipring_topic *topic) {
  for (size_t i = 0; i < topic->segment_count; i++)
    munmap((void *)topic->segments[i].base, topic->segments[i].bytes);
  free(topic->segments);
  if (topic->ring) munmap((void *)topic->ring, topic->ring_bytes);
  memset(topic, 0, sizeof *topic);
}

// The identity of the run in a run's folder, from the first "run": "…" of its status.
static inline int slipring_run_of(const char *run_folder, uint64_t run[2]) {
  char path[1100], text[8192];
  snprintf(path, sizeof path, "%s/status.json", run_folder);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t count = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (count <= 0) return -1;
  text[count] = 0;
  for (const char *at = text; (at = strstr(at, "\"run\"")); at++) {
    const char *digits = at + 5 + strspn(at + 5, " :\"");
    if (strspn(digits, "0123456789abcdef") != 32) continue;
    for (int i = 0; i < 16; i++) {
      unsigned byte;
      sscanf(digits + 2 * i, "%2x", &byte);
      ((uint8_t *)run)[i] = (uint8_t)byte;
    }
    return 0;
  }
  return -1;
}

// Opens a topic of the run in a run's folder by its name, as in "projections", "updates.0", or that of a writer. 0, or
// -1 and `problem` says why.
static inline int slipring_topic_open(struct slipring_topic *topic, const char *run_folder, const char *name) {
  memset(topic, 0, sizeof *topic);
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
  char *end = NULL;
  unsigned long partition = name[length] == '.' ? strtoul(name + length + 1, &end, 10) : 0;
  if (length == 0 || length > 48 || *name == '-' || (name[length] && (!end || *end || end == name + length + 1)) ||
      partition > 9999 || strlen(run_folder) > 900) {
    snprintf(topic->problem, sizeof topic->problem, "'%.60s' is no topic: they are named as projections, or updates.0",
        name);
    return -1;
  }
  memcpy(topic->word, name, length);
  snprintf(topic->own_name, sizeof topic->own_name, "%.70s", name);
  topic->partition = (uint32_t)partition;
  if (slipring_run_of(run_folder, topic->run) != 0) {
    snprintf(topic->problem, sizeof topic->problem, "%.180s is no run's folder, or its run has not begun", run_folder);
    return -1;
  }
  topic->has_run = 1;
  const char *places[] = {"journal", "topics"};
  for (int i = 0; i < 2; i++) {
    snprintf(topic->journal, sizeof topic->journal, "%s/%s/%s.%u", run_folder, places[i], topic->word,
        topic->partition);
    if (access(topic->journal, F_OK) == 0) break;
  }
  slipring_topic_look(topic);
  if (topic->ring || access(topic->journal, F_OK) == 0) return 0;
  snprintf(topic->problem, sizeof topic->problem, "the run in %.140s has no topic '%.60s'", run_folder, name);
  return -1;
}

struct slipring_topic_writer {
  char problem[256];
  struct slipring_topic topic;
  int folder, file;
  size_t stride;
  uint64_t bytes_max, next, chain, epoch, durable, number, first, count;
};

static inline int slipring_write_all(int file, const void *data, size_t count, off_t offset) {
  for (const char *at = (const char *)data; count;) {
    ssize_t written = pwrite(file, at, count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return -1;
    at += written;
    offset += written;
    count -= (size_t)written;
  }
  return 0;
}

static inline int slipring_writer_failed(struct slipring_topic_writer *writer, const char *what) {
  snprintf(writer->problem, sizeof writer->problem, "topic '%s': %s%s%s", writer->topic.word, what, errno ? ": " : "",
      errno ? strerror(errno) : "");
  return -1;
}

// Returns 0 when all events are on the disk.
static inline int slipring_topic_flush(struct slipring_topic_writer *writer) {
  if (writer->file >= 0 && fdatasync(writer->file)) return slipring_writer_failed(writer, "cannot sync");
  writer->durable = writer->next;
  return 0;
}

// Gives the topic up for another writer.
static inline void slipring_topic_writer_close(struct slipring_topic_writer *writer) {
  if (writer->file >= 0) close(writer->file);
  if (writer->folder >= 0) close(writer->folder);
  writer->file = writer->folder = -1;
  slipring_topic_close(&writer->topic);
}

static inline int slipring_begin_segment(struct slipring_topic_writer *writer) {
  if (slipring_topic_flush(writer)) return -1;
  struct slipring_topic *topic = &writer->topic;
  uint64_t count = ((16u << 20) - SLIPRING_TOPIC_PAGE) / writer->stride, used = 0;
  count = count < 2 ? 2 : count > 4096 ? 4096 : count;
  uint64_t bytes = SLIPRING_TOPIC_PAGE + count * writer->stride;
  for (size_t i = 0; i < topic->segment_count; i++) used += topic->segments[i].bytes;
  errno = 0;
  if (used + bytes > writer->bytes_max) return slipring_writer_failed(writer, "it has as many bytes as it may have");
  char name[64], made[80];
  for (int copy = 0;; copy++) {
    snprintf(name, sizeof name, copy ? "%020llu.%d.segment" : "%020llu.segment", (unsigned long long)writer->next,
        copy);
    if (faccessat(writer->folder, name, F_OK, AT_SYMLINK_NOFOLLOW)) break;
    if (copy == 1000000) return slipring_writer_failed(writer, "it has too many segments");
  }
  snprintf(made, sizeof made, "%s.new", name);
  unlinkat(writer->folder, made, 0);
  uint8_t page[SLIPRING_TOPIC_PAGE] = {0};
  uint64_t words[16] = {0};
  words[1] = UINT64_C(0x0001000100000000) | 0x504A4C53;
  memcpy(words + 2, topic->run, 16);
  words[4] = 0x80000000u | slipring_crc32c(0, topic->word, strlen(topic->word));
  words[5] = writer->stride;
  words[6] = writer->next;
  words[7] = bytes;
  words[8] = writer->chain;
  words[9] = writer->epoch;
  words[10] = writer->number + 1;
  words[11] = writer->durable;
  words[15] = (uint64_t)slipring_crc32c(0, words + 1, 116) << 32;
  memcpy(page, words, sizeof words);
  int file = openat(writer->folder, made, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return slipring_writer_failed(writer, "cannot make a segment");
  errno = posix_fallocate(file, 0, (off_t)bytes);
  if (errno || slipring_write_all(file, page, sizeof page, 0) || fsync(file) ||
      renameat(writer->folder, made, writer->folder, name) || fsync(writer->folder)) {
    slipring_writer_failed(writer, "cannot make a segment");
    unlinkat(writer->folder, made, 0);
    close(file);
    return -1;
  }
  if (writer->file >= 0) close(writer->file);
  writer->file = file;
  writer->number++;
  writer->first = writer->next;
  writer->count = count;
  slipring_topic_map_segments(topic);
  return 0;
}

// Begins a topic of this program's own, or goes on behind its last whole event. `payload_max`: bytes of the largest
// payload, the same for each writer; all files together stay below `bytes_max`. 0, or -1 and `problem` says why.
static inline int slipring_topic_create(
    struct slipring_topic_writer *writer, const char *run_folder, const char *name, size_t payload_max,
    uint64_t bytes_max) {
  memset(writer, 0, sizeof *writer);
  writer->folder = writer->file = -1;
  char path[1100];
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
  snprintf(writer->topic.word, sizeof writer->topic.word, "%.48s", name);
  errno = 0;
  if (name[length] || length == 0 || length > 48 || *name < 'a' || payload_max > 1u << 30 || strlen(run_folder) > 900)
    return slipring_writer_failed(writer, "names have 1 to 48 of a-z, 0-9 and -, payloads 2^30 bytes at most");
  if (slipring_topic_open(&writer->topic, run_folder, name) == 0) {
    int own = !writer->topic.ring && strstr(writer->topic.journal + strlen(run_folder), "/topics/") != NULL;
    slipring_topic_close(&writer->topic);
    snprintf(writer->topic.word, sizeof writer->topic.word, "%.48s", name);
    errno = 0;
    if (!own) return slipring_writer_failed(writer, "it is a topic of the run itself");
  }
  snprintf(path, sizeof path, "%s/topics", run_folder);
  if (mkdir(path, 0700) && errno != EEXIST) return slipring_writer_failed(writer, "cannot make its folder");
  snprintf(path, sizeof path, "%s/topics/%s.0", run_folder, name);
  if (mkdir(path, 0700) && errno != EEXIST) return slipring_writer_failed(writer, "cannot make its folder");
  writer->folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (writer->folder < 0 || flock(writer->folder, LOCK_EX | LOCK_NB)) {
    slipring_writer_failed(writer, errno == EWOULDBLOCK ? "somebody else writes it" : "cannot lock its folder");
    if (writer->folder >= 0) close(writer->folder);
    writer->folder = -1;
    return -1;
  }
  struct slipring_topic *topic = &writer->topic;
  if (slipring_topic_open(topic, run_folder, name)) {
    memcpy(writer->problem, topic->problem, sizeof writer->problem);
    slipring_topic_writer_close(writer);
    return -1;
  }
  writer->stride = SLIPRING_TOPIC_PAGE + (payload_max + 4095) / 4096 * 4096;
  writer->bytes_max = bytes_max;
  writer->next = slipring_topic_stored_end(topic);
  writer->number = UINT64_MAX;
  writer->epoch = 1;
  struct slipring_event last;
  if (writer->next > 0 && slipring_topic_record(topic, writer->next - 1, &last)) {
    writer->chain = slipring_chain_after(&last.header);
    writer->epoch = last.header.epoch + 1;
  }
  for (size_t i = 0; i < topic->segment_count; i++) {
    const struct slipring_segment *segment = &topic->segments[i];
    if (segment->stride != writer->stride || memcmp(segment->run, topic->run, 16)) {
      errno = 0;
      slipring_writer_failed(writer, "it is of another run, or has payloads of another size");
      slipring_topic_writer_close(writer);
      return -1;
    }
    if (segment->epoch >= writer->epoch) writer->epoch = segment->epoch + 1;
    writer->number = segment->number;
    writer->first = segment->first;
    writer->count = (segment->bytes - SLIPRING_TOPIC_PAGE) / segment->stride;
  }
  // Behind what is whole may be the bytes of an event that its writer did not finish: they stay, in a segment that ends
  // there.
  if (topic->segment_count) {
    const struct slipring_segment *newest = &topic->segments[topic->segment_count - 1];
    uint64_t index = writer->next - writer->first;
    int clean = index < writer->count;
    const uint8_t *place = newest->base + SLIPRING_TOPIC_PAGE + index * newest->stride;
    for (size_t i = 0; clean && i < SLIPRING_TOPIC_PAGE; i++) clean = place[i] == 0;
    if (!clean) writer->count = 0;
    else writer->file = openat(writer->folder, newest->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (clean && writer->file < 0) {
      slipring_writer_failed(writer, "cannot open its segment");
      slipring_topic_writer_close(writer);
      return -1;
    }
  }
  return 0;
}

// Writes an event: `kind` is SLIPRING_PROGRAM, or that of an image with rows, columns and a pixel type. 0, or -1 and
// `problem` says why; then its sequence stays the next one's. Readers see it at once; it is on the disk with
// slipring_topic_flush.
static inline int slipring_topic_append(
    struct slipring_topic_writer *writer, uint16_t kind, const void *metadata, size_t metadata_bytes,
    const void *payload, size_t payload_bytes, uint32_t rows, uint32_t columns, uint16_t pixel) {
  struct slipring_event event;
  struct slipring_header *header = &event.header;
  memset(&event, 0, sizeof event);
  header->magic = 0x56454C53;
  header->layout = 2;
  header->kind = kind;
  header->rows = rows;
  header->columns = columns;
  header->pixel = pixel;
  header->payload_bytes = payload_bytes;
  header->metadata_bytes = (uint32_t)metadata_bytes;
  uint64_t band_rows = slipring_band_rows(header), bands = band_rows ? (rows + band_rows - 1) / band_rows : 0;
  uint64_t row_bytes = (uint64_t)columns * slipring_pixel_bytes(pixel);
  errno = 0;
  if (SLIPRING_HEAD + metadata_bytes + 4 * bands > SLIPRING_TOPIC_PAGE ||
      payload_bytes > writer->stride - SLIPRING_TOPIC_PAGE || pixel > 4 ||
      (unsigned __int128)row_bytes * rows > payload_bytes)
    return slipring_writer_failed(writer, "the event is too large, or its image larger than its payload");
  if (writer->next - writer->first >= writer->count && slipring_begin_segment(writer)) return -1;
  header->sequence = writer->next;
  header->epoch = writer->epoch;
  memcpy(header->run, writer->topic.run, 16);
  header->topic = 0x80000000u | slipring_crc32c(0, writer->topic.word, strlen(writer->topic.word));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  header->acquired_at = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  header->durable_through = writer->durable;
  header->chain = writer->chain;
  if (metadata_bytes) memcpy(event.page + SLIPRING_HEAD, metadata, metadata_bytes);
  uint32_t content = slipring_crc32c(0, metadata, metadata_bytes);
  for (uint64_t band = 0; band < bands; band++) {
    uint64_t start = band * band_rows * row_bytes;
    uint64_t end = band + 1 == bands ? payload_bytes : start + band_rows * row_bytes;
    uint32_t crc = slipring_crc32c(0, (const char *)payload + start, end - start);
    memcpy(event.page + SLIPRING_TOPIC_PAGE - 4 * bands + 4 * band, &crc, 4);
  }
  header->content_crc = bands ? slipring_crc32c(content, event.page + SLIPRING_TOPIC_PAGE - 4 * bands, 4 * bands)
                              : slipring_crc32c(content, payload, payload_bytes);
  header->crc = slipring_crc32c(0, (const char *)header + 8, 116);
  memcpy(event.page, header, sizeof *header);
  off_t place = (off_t)(SLIPRING_TOPIC_PAGE + (writer->next - writer->first) * writer->stride);
  // Whoever sees the page finds the payload behind it.
  if (slipring_write_all(writer->file, payload, payload_bytes, place + SLIPRING_TOPIC_PAGE) ||
      slipring_write_all(writer->file, event.page, sizeof event.page, place))
    return slipring_writer_failed(writer, "cannot write");
  writer->chain = slipring_chain_after(header);
  writer->next++;
  return 0;
}

// Writes the topic's last event.
static inline int slipring_topic_finish(struct slipring_topic_writer *writer) {
  return slipring_topic_append(writer, SLIPRING_END, NULL, 0, NULL, 0, 0, 0, 0) || slipring_topic_flush(writer);
}

#ifndef __cplusplus
_Static_assert(sizeof(struct slipring_header) == SLIPRING_HEAD, "as drawn at EventHeader");
_Static_assert(offsetof(struct slipring_header, theta) == 96, "as drawn at EventHeader");
#else
static_assert(sizeof(slipring_header) == SLIPRING_HEAD, "as drawn at EventHeader");
#endif
