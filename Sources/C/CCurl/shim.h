// libcurl takes its options through a variadic function, which Swift cannot call: one function for a whole request.
#pragma once
#include <curl/curl.h>

static inline size_t ccurl_discard(char *bytes, size_t size, size_t count, void *nothing) {
  (void)bytes, (void)nothing;
  return size * count;
}

/// Sends `body` with `method` to `url` and waits up to `milliseconds` for the answer, of which only the status is kept:
/// 0 where there is none. No proxy is asked, no redirection followed, no signal used, no name server waited for beyond
/// the limit. Without a method it only connects. What went wrong is in `message`.
static inline CURLcode ccurl_send(const char *url, const char *method, const char *body, long milliseconds,
    long *status, char message[CURL_ERROR_SIZE]) {
  message[0] = 0;
  *status = 0;
  CURL *handle = curl_easy_init();
  if (!handle) { return CURLE_OUT_OF_MEMORY; }
  struct curl_slist *headers = curl_slist_append(NULL, body[0] ? "Content-Type: application/json" : "Content-Type:");
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "slipring");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
  if (method) { curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method); }
  curl_easy_setopt(handle, CURLOPT_CONNECT_ONLY, method ? 0L : 1L);
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, ccurl_discard);
  CURLcode result = curl_easy_setopt(handle, CURLOPT_URL, url);
  if (result == CURLE_OK) { result = curl_easy_perform(handle); }
  if (method) { curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, status); }
  curl_easy_cleanup(handle);
  curl_slist_free_all(headers);
  return result;
}

/// The beginning of an answer.
typedef struct ccurl_reply {
  char *bytes;
  size_t capacity, count;
} ccurl_reply;

static inline size_t ccurl_keep(char *bytes, size_t size, size_t count, void *target) {
  ccurl_reply *reply = target;
  // An answer that is longer than any ends the request.
  if (size * count > reply->capacity - reply->count) { return 0; }
  __builtin_memcpy(reply->bytes + reply->count, bytes, size * count);
  reply->count += size * count;
  return size * count;
}

/// Prepares a handle, which keeps its connection, to post `size` bytes of JSON to `url`, to be answered within
/// `milliseconds`. `authorization` is a header or NULL; `authorities` is a file of certificates, NULL for those of the
/// system. Certificates are verified; no redirection is followed, no signal used. The answer comes into `reply`, what
/// went wrong into `message`; both stay until it is over. Returns the headers, to be freed then.
static inline struct curl_slist *ccurl_prepare_post(CURL *handle, const char *url, const char *authorization,
    const char *authorities, const char *body, size_t size, long milliseconds, ccurl_reply *reply,
    char message[CURL_ERROR_SIZE]) {
  message[0] = 0;
  curl_easy_reset(handle);
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Accept: application/json");
  // Without it a body of some size waits for the server to ask for it.
  headers = curl_slist_append(headers, "Expect:");
  if (authorization) { headers = curl_slist_append(headers, authorization); }
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "slipring");
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (authorities) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, authorities);
    curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
  curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body);
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, ccurl_keep);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, reply);
  curl_easy_setopt(handle, CURLOPT_URL, url);
  return headers;
}

/// The status of the answer; 0 where there is none.
static inline long ccurl_status(CURL *handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
