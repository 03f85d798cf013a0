import Foundation
import Glibc
import Host
package import Run
package import ScanPlan

/// All scans that a server has, had, and will have, as they are on disk now: for any process of the server's user,
/// whether a server runs or not.
package struct Catalogue: Sendable {
  /// Where the scans are.
  package let queue: ScanQueue

  /// The catalogue of a server's folder.
  package init(_ queue: ScanQueue) { self.queue = queue }

  /// Every scan, by its number.
  package func records() throws -> [ScanRecord] { try queue.numbers().compactMap(record) }

  /// The scan that finished last; nil before the first.
  package func lastFinished() throws -> ScanRecord? {
    try queue.numbers().compactMap { number in try queue.entryIfWhole(number) }.filter { $0.state == .finished }
      .max { ($0.ended ?? 0, $0.number) < ($1.ended ?? 0, $1.number) }.flatMap { try record($0.number) }
  }

  /// Scans of which something is to be done, in the order in which they come.
  package func queued() throws -> [ScanRecord] {
    try queue.numbers().compactMap { number in try queue.entryIfWhole(number) }.filter { !$0.isOver }
      .sorted(by: QueueEntry.comesFirst).compactMap { try record($0.number) }
  }

  /// A scan; nil where there is none of that number. One whose entry is damaged is `failed`, and says so.
  package func record(_ number: Int) throws(ScanFailure) -> ScanRecord? {
    do throws(ScanFailure) {
      guard let entry = try queue.entry(number) else { return nil }
      return live(ScanRecord(entry, now: QueueEntry.now), entry)
    } catch {
      guard error.sysExit == .data else { throw error }
      return ScanRecord(damaged: number, error.description)
    }
  }

  /// With how far the run of a scan is that is being reconstructed.
  private func live(_ record: ScanRecord, _ entry: QueueEntry) -> ScanRecord {
    guard entry.state == .running, let run = entry.run else { return record }
    var record = record
    // Before its run has written one there is no more to say.
    do { record.add(try RunFolder(path: run).readStatus().status) } catch {}
    return record
  }

  /// Everything that is known of a scan; nil where there is none of that number.
  package func details(_ number: Int) throws(ScanFailure) -> ScanDetails? {
    guard let record = try record(number) else { return nil }
    let entry = try queue.entryIfWhole(number), outcome = try outcome(number)
    let log = queue.log(of: number)
    return ScanDetails(
      scan: record, outputs: (outcome?.result?.outputs ?? []).prefix(ScanDetails.outputsMax).map { ScanOutput($0) },
      outputCount: outcome?.result?.outputs.count ?? 0, volumeSHA256: entry?.volumeSHA256,
      run: entry?.run.flatMap { access($0, F_OK) == 0 ? $0 : nil },
      left: entry.map { queue.left(of: $0, outcome) } ?? [], log: access(log, F_OK) == 0 ? log : nil,
      rotationAxis: outcome?.result?.rotationAxis, stoppedBy: outcome?.result?.stoppedBy,
      notices: outcome?.notices ?? [])
  }

  /// What came of a scan; nil where it has not come to an end, or what it left is damaged.
  package func result(_ number: Int) throws(ScanFailure) -> RunResult? { try outcome(number)?.result }

  /// The folder of a scan's run; nil where it has none.
  package func runFolder(_ number: Int) -> String? {
    do { return try queue.entry(number)?.run } catch { return nil }
  }

  /// The picture of a scan's middle slice, a PNG; nil where there is none.
  package func picture(_ number: Int, byteCountMax: Int) -> [UInt8]? {
    let path = MiddleSlice.path(in: queue.folder(of: number))
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= byteCountMax else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    return read(descriptor, &bytes, bytes.count) == bytes.count ? bytes : nil
  }

  private func outcome(_ number: Int) throws(ScanFailure) -> JobOutcome? {
    do throws(ScanFailure) { return try JobOutcome.read(queue.folder(of: number)) } catch {
      guard error.sysExit == .data else { throw error }
      return nil
    }
  }
}

extension ScanQueue {
  /// Folders with what there is of a scan that has no volume: its frames, those of its runs and, where only some rows
  /// could not be made, the files of the others.
  func left(of entry: QueueEntry, _ outcome: JobOutcome?) -> [String] {
    guard entry.state == .failed || entry.state == .removed else { return [] }
    let files = outcome?.result?.outputs.isEmpty == false ? [entry.output].compactMap(\.self) : []
    return (acquired(of: entry.number) + files).filter { access($0, F_OK) == 0 }
  }
}

/// Everything that is known of a scan.
package struct ScanDetails: Codable, Sendable {
  /// What lists show.
  package let scan: ScanRecord
  /// Files and folders of its volume; the first ones where there are very many.
  package let outputs: [ScanOutput]
  /// How many there are.
  package let outputCount: Int
  /// Checksum of the volume.
  package let volumeSHA256: String?
  /// Its run's folder; nil where there is none any more.
  package let run: String?
  /// Of a scan without a volume the folders with what there is of it: its frames, those of its runs and, where only
  /// some rows could not be made, the volume of the others.
  package let left: [String]
  /// What its processes said.
  package let log: String?
  /// The rotation axis, in pixels from the detector's left edge.
  package let rotationAxis: Double?
  /// Why the acquisition ended.
  package let stoppedBy: String?
  /// What a person should know.
  package let notices: [String]

  static let outputsMax = 10_000

  /// Bytes of the outputs that are there.
  package var byteCount: Int { outputs.reduce(0) { $0 + ($1.byteCount ?? 0) } }
}

/// A file that a scan came to, or a folder.
package struct ScanOutput: Codable, Sendable {
  /// Absolute.
  package let path: String
  /// Bytes of the file, or of what the folder holds; nil where it is not there any more.
  package let byteCount: Int?

  private static let filesMax = 100_000

  init(_ path: String) {
    self.path = path
    byteCount = Self.byteCount(path)
  }

  private static func byteCount(_ path: String) -> Int? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    guard status.st_mode & S_IFMT == S_IFDIR else { return Int(status.st_size) }
    guard let files = FileManager.default.enumerator(atPath: path) else { return nil }
    var (sum, count) = (0, 0)
    for case let name as String in files {
      count += 1
      guard count <= filesMax else { break }
      if lstat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG { sum += Int(status.st_size) }
    }
    return sum
  }
}
