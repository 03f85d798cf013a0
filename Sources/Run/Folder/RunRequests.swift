import Foundation
import Glibc
import Host
import ScanPlan

/// What people ask of a running run, from any process of the same user: a small file in the run's folder, which is
/// there, durable, when the call returns. So a request outlives whatever dies between it and its answer.
///
/// ```
/// requests/            mode 0700
///   finalize           {"by": "anna"}   read by control, which answers with its command; stays
///   abort              {"by": "anna"}   read by the supervisor; removed when the run is resumed
///   workers            {"by": "anna", "add": 1, "cores": [8]}   read by the supervisor, which removes it
/// ```
package struct RunRequests: Sendable {
  /// What can be asked.
  package enum RequestKind: String, Sendable, CaseIterable {
    /// End the acquisition; reconstruct and export what was acquired.
    case finalize
    /// Stop at once, without a result. What was acquired is kept.
    case abort
  }

  struct Request: Codable {
    let by: String
  }

  let folder: RunFolder
  /// The most bytes of a request, and of a name in it.
  static let (byteCountMax, nameMax) = (16 << 10, 128)

  /// The requests to the run in `runFolder`.
  package init(runFolder: RunFolder) { folder = runFolder }

  /// Asks the run to end its acquisition and to finish with what was acquired. Asking again changes nothing. `by` is
  /// who asks, for reports.
  /// - Throws: `ScanFailure`: `.noInput` where this is no run's folder, `.unavailable` where the run is not running,
  ///   `.usage` for a name that is empty, too long or not plain text, and for a node's run, which ends where the edge's
  ///   does.
  package func finalize(by: String) throws { try ask(.finalize, by: by) }

  /// Asks the run to stop at once, without a result. Asking again changes nothing. `by` is who asks, for reports.
  /// - Throws: as `finalize`.
  package func abort(by: String) throws { try ask(.abort, by: by) }

  private func ask(_ kind: RequestKind, by: String) throws {
    try check(by)
    if kind == .finalize, let part = try folder.readPlan().fabric {
      throw ScanFailure(
        .usage,
        "the run in \(folder.path) is a node's: finalize run \(part.run) at the edge, so that all of its rows end at "
          + "the same projection")
    }
    try makeFolder()
    if access(path(kind), F_OK) == 0 { return }
    do {
      try writeFileAtomically(path: path(kind), bytes: SealedJSON.encode(Request(by: by)), isPrivate: true)
    } catch let error as FileError where error.isFull {
      // A run that waits for room must be able to be ended: a name alone is a request too, by an unknown person.
      let descriptor = open(path(kind), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw error }
      close(descriptor)
    }
  }

  /// Throws where a name says nobody.
  func check(_ by: String) throws(ScanFailure) {
    let isPlain =
      by.unicodeScalars.allSatisfy { !$0.properties.isWhitespace || $0 == " " }
      && !by.unicodeScalars.contains { $0.value < 32 }
    guard !by.isEmpty, by.utf8.count <= Self.nameMax, isPlain else {
      throw ScanFailure(.usage, "a request needs a name of 1 to \(Self.nameMax) bytes of plain text, to say who asked")
    }
  }

  /// Makes the folder of requests to a run, which is running.
  func makeFolder() throws {
    guard try folder.isSupervised else {
      throw ScanFailure(.unavailable, "the run in \(folder.path) is not running; slipring status shows how far it came")
    }
    try RunFolder.makeFolder(folder.requests, for: .owner)
  }

  /// Who has asked; nil where nobody has. A file that is not a request, which anything may have left there, is one by
  /// an unknown person.
  func requester(_ kind: RequestKind) throws(ScanFailure) -> String? {
    guard let text = try text(path(kind)) else { return nil }
    guard SealedJSON.check(text) == .whole, let request = try? JSONDecoder().decode(Request.self, from: Data(text)),
      (1...Self.nameMax).contains(request.by.utf8.count)
    else { return "an unknown person" }
    return request.by
  }

  /// What stands in a request; nil where there is none.
  func text(_ path: String) throws(ScanFailure) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw ScanFailure(.inputOutput, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: Self.byteCountMax)
    let count = read(descriptor, &bytes, bytes.count)
    // A folder of this name asks for nothing.
    if count < 0, errno == EISDIR { return nil }
    guard count >= 0 else {
      throw ScanFailure(.inputOutput, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
    return Array(bytes[..<count])
  }

  /// Takes a request back: whoever resumes a run that was aborted wants it to go on.
  func withdraw(_ kind: RequestKind) throws(ScanFailure) {
    try remove(path(kind))
  }

  func remove(_ path: String) throws(ScanFailure) {
    guard unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR else {
      throw ScanFailure(.inputOutput, "cannot remove \(path): \(String(cString: strerror(errno)))")
    }
  }

  private func path(_ kind: RequestKind) -> String { "\(folder.requests)/\(kind.rawValue)" }
}
