import CZstd

/// Compresses as Zarr's codec zstd does: one frame for each chunk.
final class Zstandard {
  /// Voxels have noise in their low bits; higher levels take longer and save no more.
  static let level = 1
  /// The library's version: another one may make other bytes of the same voxels.
  static var version: String { String(cString: ZSTD_versionString()) }

  private let context: OpaquePointer
  private let target: UnsafeMutableRawBufferPointer

  /// For chunks of so many bytes at most.
  init(byteCountMax: Int) {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("libzstd has no memory for a context") }
    self.context = context
    target = .allocate(byteCount: ZSTD_compressBound(byteCountMax), alignment: 64)
  }

  deinit {
    ZSTD_freeCCtx(context)
    target.deallocate()
  }

  /// The frame, which is valid until the next call.
  func compress(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let count = ZSTD_compressCCtx(
      context, target.baseAddress, target.count, bytes.baseAddress, bytes.count, Int32(Self.level))
    // The room is enough for any bytes.
    precondition(ZSTD_isError(count) == 0, String(cString: ZSTD_getErrorName(count)))
    return UnsafeRawBufferPointer(rebasing: target[..<count])
  }

  /// The most bytes that so many become.
  static func bound(_ byteCount: Int) -> Int { ZSTD_compressBound(byteCount) }

  /// Takes frames apart.
  final class Decompressor {
    private let context: OpaquePointer

    init() {
      guard let context = ZSTD_createDCtx() else { preconditionFailure("libzstd has no memory for a context") }
      self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    /// The values of a frame; nil where it has not exactly so many, or is damaged.
    func floats(_ frame: [UInt8], count: Int) -> [Float]? {
      var values = [Float](repeating: 0, count: count)
      let byteCount = values.withUnsafeMutableBytes { values in
        frame.withUnsafeBytes {
          ZSTD_decompressDCtx(context, values.baseAddress, values.count, $0.baseAddress, $0.count)
        }
      }
      return ZSTD_isError(byteCount) == 0 && byteCount == count * MemoryLayout<Float>.stride ? values : nil
    }
  }
}
