import CCrypto

/// SHA-256 (FIPS 180-4) of bytes that come in pieces, by libcrypto.
package struct SHA256: ~Copyable {
  private let context: OpaquePointer

  /// The digest of nothing yet.
  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto has no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Adds bytes.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "SHA-256 of \(bytes.count) B failed")
  }

  /// The digest as 64 hexadecimal digits.
  package consuming func hexDigest() -> String {
    let digest = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(EVP_MAX_MD_SIZE)) { buffer -> [UInt8] in
      var count: UInt32 = 0
      precondition(EVP_DigestFinal_ex(context, buffer.baseAddress, &count) == 1, "SHA-256 failed")
      return Array(buffer[..<Int(count)])
    }
    let digits = Array("0123456789abcdef")
    return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}
