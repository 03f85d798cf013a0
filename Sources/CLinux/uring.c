#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

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
