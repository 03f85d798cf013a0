// Reads a topic of a run to its end, or writes one beside the run's.
//
//   cc -O2 -I Tools/interfaces -o topic Tools/interfaces/examples/topic.c
//   ./topic read out/run-… projections [FIRST]        a line an event: its number, kind, angle and bytes, and their sum
//   ./topic write out/run-… notes < lines             a line an event
#include "../slipring_topic.h"
#include <inttypes.h>

static int read_topic(const char *run, const char *name, uint64_t first) {
  static struct slipring_topic topic;
  static struct slipring_event event;
  if (slipring_topic_open(&topic, run, name)) {
    fprintf(stderr, "%s\n", topic.problem);
    return 66;
  }
  for (uint64_t sequence = first; slipring_topic_wait(&topic, sequence, 500); sequence++) {
    uint64_t sum = 0;
    int found = slipring_topic_read(&topic, sequence, SLIPRING_ANYWHERE, &event);
    for (int from_journal = 0; found == 1; from_journal = 1) {
      sum = 0;
      for (size_t i = 0; i < event.header.payload_bytes; i++) sum += event.payload[i];
      // A ring's slot may have been filled anew meanwhile.
      if (slipring_event_is_current(&event) || from_journal) break;
      found = slipring_topic_read(&topic, sequence, SLIPRING_JOURNAL, &event);
    }
    if (found != 1 || (!event.stamp_word && !slipring_event_check(&event))) {
      fprintf(stderr, "event %" PRIu64 " of %s: %s\n", sequence, name,
          found < 0 ? topic.problem : "not there, or damaged");
      return 65;
    }
    printf("%" PRIu64 " %u %.6f %" PRIu64 " %" PRIu64 "\n", sequence, event.header.kind, event.header.theta,
        event.header.payload_bytes, sum);
    if (event.header.kind == SLIPRING_END) break;
  }
  slipring_topic_close(&topic);
  return 0;
}

static int write_topic(const char *run, const char *name) {
  static struct slipring_topic_writer writer;
  char line[1000];
  int failed = slipring_topic_create(&writer, run, name, sizeof line, UINT64_C(1) << 30);
  while (!failed && fgets(line, sizeof line, stdin))
    failed = slipring_topic_append(&writer, SLIPRING_PROGRAM, NULL, 0, line, strcspn(line, "\n"), 0, 0, 0);
  failed = failed || slipring_topic_finish(&writer);
  if (failed) fprintf(stderr, "%s\n", writer.problem);
  slipring_topic_writer_close(&writer);
  return failed ? 74 : 0;
}

int main(int count, char **words) {
  if (count >= 4 && !strcmp(words[1], "read"))
    return read_topic(words[2], words[3], count > 4 ? strtoull(words[4], NULL, 10) : 0);
  if (count == 4 && !strcmp(words[1], "write")) return write_topic(words[2], words[3]);
  fprintf(stderr, "usage: topic read RUN TOPIC [FIRST] | topic write RUN TOPIC\n");
  return 64;
}
