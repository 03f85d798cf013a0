#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>

// TLS 1.2 at least, and nothing that a client could use to make the server work; 1 where it is set. (Macros that Swift
// cannot import.)
static inline int cssl_set_up(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(
      context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline long cssl_pending(BIO *memory) { return (long)BIO_pending(memory); }
