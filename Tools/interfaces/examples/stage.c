// An example of a program that looks at the volume while it is made: the mean of the first worker's middle slice.
//
//   cc -O2 -o mean Tools/interfaces/examples/stage.c
//   slipring recon scan.h5 --output-folder out --stage name=mean,program=./mean
#include "../slipring.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  const char *run = getenv("SLIPRING_RUN");
  char name[300];
  snprintf(name, sizeof name, "%svolume.0", run ? run : "");
  const struct slipring_volume *volume = slipring_attach_volume(name);
  if (!volume) {
    fprintf(stderr, "this program is for --stage: there is no volume\n");
    return 69;
  }
  uint64_t seen = 0;
  for (int last = 0; !last;) {
    // The end of the input is the end of the work on the volume.
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char byte;
    last = poll(&input, 1, 100) > 0 && read(0, &byte, 1) <= 0;
    unsigned slot, slot_after;
    uint64_t newest = slipring_newest(volume, &slot);
    if (newest == 0 || (newest == seen && !last)) continue;
    size_t row_stride = 0, column_stride = 0;
    const float *slice = slipring_slice(volume, volume->rows / 2, slot, &row_stride, &column_stride);
    double sum = 0;
    for (uint32_t y = 0; y < volume->columns; y++)
      for (uint32_t x = 0; x < volume->columns; x++) sum += slice[y * row_stride + x * column_stride];
    // Two generations later the slot is written again: then what was read counts for nothing.
    if (slipring_newest(volume, &slot_after) > newest + 1 && !last) continue;
    seen = newest;
    printf("{\"mean\": %.9g}\n", sum / volume->columns / volume->columns);
    fflush(stdout);
  }
  return 0;
}
