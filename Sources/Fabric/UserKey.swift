internal import CCrypto
internal import Glibc
internal import Host

/// The key by which a fabric's servers know who connects (an nkey): of the seed's file only the public half is kept.
///
/// A seed is written in base32: two bytes with the kinds of the text and of the key, the 32 bytes of an Ed25519 key,
/// and a checksum. The public key is written likewise, with one byte for its kind.
struct UserKey {
  /// The public key as servers list it: `U…`.
  let publicText: String

  private static let seedKind: UInt8 = 18 << 3
  private static let userKind: UInt8 = 20 << 3
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
  private static let fileByteCountMax = 4096

  /// Reads the seed.
  init(seedFile path: String) throws(FabricError) {
    guard let bytes = Self.decode(try Self.seedText(path)), bytes.count == 36 else { throw Self.noSeed(path) }
    let sum = UInt16(bytes[34]) | UInt16(bytes[35]) << 8
    let kind = (bytes[0] & 7) << 5 | bytes[1] >> 3
    guard bytes[0] & 0xF8 == Self.seedKind, kind == Self.userKind, Self.checksum(bytes[..<34]) == sum else {
      throw .credentials(file: path, reason: "its seed is mistyped")
    }
    guard let half = Self.publicHalf(Array(bytes[2..<34])) else {
      throw .credentials(file: path, reason: "its seed makes no key")
    }
    publicText = Self.encode([Self.userKind] + half)
  }

  /// The seed as its file has it.
  static func seedText(_ path: String) throws(FabricError) -> [UInt8] {
    let line = try content(path).split(whereSeparator: { $0 == 10 || $0 == 13 || $0 == 32 }).first {
      $0.starts(with: "SU".utf8)
    }
    guard let line else { throw noSeed(path) }
    return Array(line)
  }

  private static func noSeed(_ path: String) -> FabricError {
    .credentials(file: path, reason: "it holds no seed of a user's key (SU…)")
  }

  /// The bytes of the file, which must be its owner's alone.
  private static func content(_ path: String) throws(FabricError) -> [UInt8] {
    // With O_NONBLOCK nobody waits for the writer of a pipe in its place.
    let descriptor = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .credentials(file: path, reason: "\(Errno.current)") }
    defer { close(descriptor) }
    var status = stat()
    guard isRegularFile(descriptor), fstat(descriptor, &status) == 0 else {
      throw .credentials(file: path, reason: "it is not a file")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw .credentials(file: path, reason: "others may read it, and it holds a secret: chmod 600 \(path)")
    }
    var bytes = [UInt8](repeating: 0, count: fileByteCountMax + 1)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard (0...fileByteCountMax).contains(count) else {
      throw .credentials(file: path, reason: "it cannot be read, or is no key")
    }
    return Array(bytes[..<count])
  }

  private static func publicHalf(_ seed: [UInt8]) -> [UInt8]? {
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else { return nil }
    defer { EVP_PKEY_free(key) }
    var (half, count) = ([UInt8](repeating: 0, count: 32), 32)
    guard EVP_PKEY_get_raw_public_key(key, &half, &count) == 1, count == 32 else { return nil }
    return half
  }

  /// Bytes with their checksum in base32 without padding.
  private static func encode(_ content: [UInt8]) -> String {
    let sum = checksum(content[...])
    var (text, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
    for byte in content + [UInt8(sum & 0xFF), UInt8(sum >> 8)] {
      (bits, count) = (bits << 8 | UInt32(byte), count + 8)
      while count >= 5 {
        text.append(alphabet[Int(bits >> UInt32(count - 5) & 31)])
        count -= 5
      }
      bits &= (1 << UInt32(count)) - 1
    }
    if count > 0 { text.append(alphabet[Int(bits << UInt32(5 - count) & 31)]) }
    return String(decoding: text, as: UTF8.self)
  }

  private static func decode(_ text: [UInt8]) -> [UInt8]? {
    var (bytes, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
    for letter in text {
      guard let value = alphabet.firstIndex(of: letter) else { return nil }
      (bits, count) = (bits << 5 | UInt32(value), count + 5)
      guard count >= 8 else { continue }
      bytes.append(UInt8(bits >> UInt32(count - 8) & 0xFF))
      count -= 8
      bits &= (1 << UInt32(count)) - 1
    }
    return bytes
  }

  /// CRC-16/XMODEM.
  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
    bytes.reduce(0) { sum, byte in
      (0..<8).reduce(sum ^ UInt16(byte) << 8) { value, _ in value & 0x8000 == 0 ? value << 1 : value << 1 ^ 0x1021 }
    }
  }
}
