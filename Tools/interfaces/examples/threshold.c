// An example of a program that makes a volume of its own: 1 where a voxel is below the mean, 2 elsewhere, from what
// another stage writes as volume:f32.
//
//   cc -O2 -o threshold Tools/interfaces/examples/threshold.c
//   slipring recon scan.h5 --output-folder out --stage denoise
//     --stage name=low,program=./threshold,reads=denoise,writes=labels:u8
#include "../slipring.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static struct slipring_stage *attach(const char *variable, int writable) {
  const char *run = getenv("SLIPRING_RUN"), *stage = getenv(variable);
  char name[300];
  snprintf(name, sizeof name, "%s%s-volume", run ? run : "", stage ? stage : "");
  return slipring_attach_stage(name, writable);
}

int main(void) {
  const struct slipring_stage *source = attach("SLIPRING_STAGE_READS", 0);
  struct slipring_stage *output = attach("SLIPRING_STAGE", 1);
  if (!source || source->pixel != 3 || !output || output->pixel != 1) {
    fprintf(stderr, "this program is for --stage with reads=STAGE, which writes volume:f32, and writes=labels:u8\n");
    return 69;
  }
  size_t count = (size_t)source->slices * source->columns * source->columns, below = 0;
  uint64_t seen = 0;
  for (int last = 0; !last;) {
    // The end of the input is the end of the work on what is read.
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char byte;
    last = poll(&input, 1, 50) > 0 && read(0, &byte, 1) <= 0;
    uint64_t newest = slipring_stage_newest(source);
    if (newest == 0 || (newest == seen && !last)) continue;
    const float *voxels = (const float *)slipring_stage_voxels(source, newest);
    uint8_t *labels = (uint8_t *)slipring_stage_begin(output);
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += voxels[i];
    below = 0;
    for (size_t i = 0; i < count; i++) below += (labels[i] = voxels[i] < sum / count ? 1 : 2) == 1;
    // Written again meanwhile: what was made of it counts for nothing.
    if (slipring_stage_newest(source) != newest) continue;
    slipring_stage_publish(output, newest >> 2, last);
    seen = newest;
    printf("{\"below\": %.9g}\n", (double)below / count);
    fflush(stdout);
  }
  return 0;
}
