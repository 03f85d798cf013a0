// librdkafka is loaded when a run sends events to Kafka, and is not linked: most machines have none. Types are those of
// its own header; its functions are called through a table that is filled from the library.
#pragma once
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define CKAFKA_FUNCTIONS(each) \
  each(version_str) each(err2str) each(err2name) \
  each(conf_new) each(conf_destroy) each(conf_set) each(conf_set_events) each(conf_set_log_cb) \
  each(new) each(destroy_flags) each(purge) each(flush) \
  each(queue_get_main) each(queue_destroy) each(queue_poll) \
  each(event_type) each(event_message_next) each(event_error) each(event_error_string) each(event_error_is_fatal) \
  each(event_destroy) \
  each(produceva) each(error_code) each(error_string) each(error_destroy) \
  each(poll_set_consumer) each(consumer_poll) each(message_destroy) \
  each(topic_new) each(topic_destroy) each(metadata) each(metadata_destroy) each(query_watermark_offsets) \
  each(topic_partition_list_new) each(topic_partition_list_add) each(topic_partition_list_destroy) each(assign)

typedef struct ckafka_library {
#define CKAFKA_MEMBER(name) __typeof__(rd_kafka_##name) *name;
  CKAFKA_FUNCTIONS(CKAFKA_MEMBER)
#undef CKAFKA_MEMBER
} ckafka_library;

/// Fills the table from a library that dlopen has given. Returns the name of a function that it does not have, or NULL.
static inline const char *ckafka_fill(void *library, ckafka_library *functions) {
#define CKAFKA_LOAD(name) \
  functions->name = (__typeof__(functions->name))dlsym(library, "rd_kafka_" #name); \
  if (!functions->name) { return "rd_kafka_" #name; }
  CKAFKA_FUNCTIONS(CKAFKA_LOAD)
#undef CKAFKA_LOAD
  return NULL;
}

static inline rd_kafka_vu_t ckafka_header(const char *name, const char *value) {
  rd_kafka_vu_t field = {.vtype = RD_KAFKA_VTYPE_HEADER};
  field.u.header.name = name;
  field.u.header.val = value;
  field.u.header.size = -1;
  return field;
}

/// Hands a record to a producer, which copies it: with `run` as its key, and `run`, `word` and `sequence` as headers.
/// `number` comes back with the answer. NULL, or an error to destroy.
static inline rd_kafka_error_t *ckafka_produce(
    const ckafka_library *functions, rd_kafka_t *producer, const char *topic, const char *run, const char *word,
    const char *sequence, const void *value, size_t size, uintptr_t number) {
  rd_kafka_vu_t fields[] = {
    {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
    {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)run, __builtin_strlen(run)}},
    {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value, size}},
    {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)number},
    ckafka_header("run", run), ckafka_header("topic", word), ckafka_header("sequence", sequence),
  };
  return functions->produceva(producer, fields, sizeof(fields) / sizeof(fields[0]));
}

/// The number that `ckafka_produce` was given with a record that is answered.
static inline uintptr_t ckafka_number(const rd_kafka_message_t *message) { return (uintptr_t)message->_private; }
