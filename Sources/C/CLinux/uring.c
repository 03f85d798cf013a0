#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>

int clinux_direct_flag(void) { return O_DIRECT; }

struct clinux_uring {
  struct io_uring ring;
};

int clinux_uring_open(clinux_uring **queue, unsigned entries) {
  *queue = malloc(sizeof **queue);
  if (!*queue) return -ENOMEM;
  int error = io_uring_queue_init(entries, &(*queue)->ring, 0);
  if (error < 0) {
    free(*queue);
    *queue = NULL;
  }
  return error;
}

void clinux_uring_close(clinux_uring *queue) {
  io_uring_queue_exit(&queue->ring);
  free(queue);
}

int clinux_uring_register(clinux_uring *queue, void *const *addresses, const size_t *sizes, unsigned count) {
  struct iovec *pieces = calloc(count, sizeof *pieces);
  if (!pieces) return -ENOMEM;
  for (unsigned i = 0; i < count; i++) pieces[i] = (struct iovec){.iov_base = addresses[i], .iov_len = sizes[i]};
  int error = io_uring_register_buffers(&queue->ring, pieces, count);
  free(pieces);
  return error;
}

unsigned clinux_uring_space(clinux_uring *queue) { return io_uring_sq_space_left(&queue->ring); }

void clinux_uring_write(clinux_uring *queue, int descriptor, const void *bytes, uint32_t count, uint64_t offset,
    int buffer, int link, uint64_t tag) {
  struct io_uring_sqe *entry = io_uring_get_sqe(&queue->ring);
  if (!entry) abort();
  if (buffer < 0)
    io_uring_prep_write(entry, descriptor, bytes, count, offset);
  else
    io_uring_prep_write_fixed(entry, descriptor, bytes, count, offset, buffer);
  if (link == clinux_uring_link) entry->flags |= IOSQE_IO_LINK;
  if (link == clinux_uring_hardlink) entry->flags |= IOSQE_IO_HARDLINK;
  entry->user_data = tag;
}

void clinux_uring_datasync(clinux_uring *queue, int descriptor, uint64_t tag) {
  struct io_uring_sqe *entry = io_uring_get_sqe(&queue->ring);
  if (!entry) abort();
  io_uring_prep_fsync(entry, descriptor, IORING_FSYNC_DATASYNC);
  entry->user_data = tag;
}

int clinux_uring_submit(clinux_uring *queue) { return io_uring_submit(&queue->ring); }

int clinux_uring_reap(
    clinux_uring *queue, clinux_uring_completion *completions, unsigned capacity, int64_t nanoseconds) {
  struct io_uring_cqe *entry;
  int error = io_uring_peek_cqe(&queue->ring, &entry);
  if (error == -EAGAIN && nanoseconds > 0) {
    struct __kernel_timespec timeout = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    error = io_uring_wait_cqe_timeout(&queue->ring, &entry, &timeout);
  }
  if (error == -EAGAIN || error == -ETIME || error == -EINTR) return 0;
  if (error < 0) return error;
  unsigned count = 0;
  do {
    completions[count++] = (clinux_uring_completion){.tag = io_uring_cqe_get_data64(entry), .result = entry->res};
    io_uring_cqe_seen(&queue->ring, entry);
  } while (count < capacity && io_uring_peek_cqe(&queue->ring, &entry) == 0);
  return (int)count;
}
