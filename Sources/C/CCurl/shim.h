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
