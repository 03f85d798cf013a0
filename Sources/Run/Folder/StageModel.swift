import Glibc
import Host
import ScanPlan

/// The model of a stage, as the run has it: a copy in its folder, so that a restart and a resume work with what the run
/// began with, whatever became of the file since.
struct StageModel {
  /// Checksum of its bytes.
  let sha256: String

  private static let pieceByteCount = 1 << 20

  /// Takes the copy of the stage `name`, and makes it of the file at `path` where there is none.
  /// - Throws: `FileError` where it cannot be written, `ScanFailure` where it cannot be read or is too large.
  init(of name: String, from path: String, in folder: RunFolder) throws {
    let copy = folder.model(name)
    if access(copy, F_OK) != 0 {
      try RunFolder.makeFolder(folder.models, for: .owner)
      let file = try AtomicFile(path: copy, isPrivate: true)
      try Self.read(path) { try file.write($0) }
      try file.commit()
    }
    var sum = SHA256()
    try Self.read(copy) { sum.update($0) }
    sha256 = sum.hexDigest()
  }

  private static func read(_ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ScanFailure(.noInput, "the model \(path): \(Errno.current)") }
    defer { close(descriptor) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceByteCount, alignment: 16)
    defer { buffer.deallocate() }
    var total = 0
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw ScanFailure(.noInput, "the model \(path): \(Errno.current)") }
      guard count > 0 else { break }
      total += count
      guard total <= UserStages.modelByteCountMax else {
        throw ScanFailure(.data, "the model \(path) has more than 2 GiB, which none in one file has")
      }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    guard total > 0 else { throw ScanFailure(.data, "the model \(path) is empty") }
  }
}

extension RunFolder {
  /// The copy of the model of a stage.
  func model(_ name: String) -> String { "\(models)/\(name).onnx" }
}
