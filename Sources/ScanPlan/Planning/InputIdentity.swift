import Glibc
import Host
import ScanFiles

/// What a file was when the run was planned: a run that is resumed goes on with the same one or not at all, for half of
/// one scan and half of another make a volume that nobody measured.
///
/// A scan may have 500 GB, so not every byte is looked at: size and time tell of every ordinary change, and the
/// checksum, over a few rows of pixels and everything that is known of the scan, of a file that was put in its place
/// with the same ones.
struct InputIdentity: Codable, Equatable, Sendable {
  /// Bytes of the file.
  var byteCount: Int
  /// When it was written last, in nanoseconds since 1970.
  var modified: Int
  /// SHA-256 of its shape, its angles, and the middle row of some images of each kind.
  var sha256: String
  /// How many images were there of a file that was still being written: it may have grown since, and these are those
  /// that count. Nil of another one.
  var counts: ImageCounts?

  /// Images of each kind that are looked at, spread over the scan.
  private static let samples = 3

  /// What the open scan is now, which lies in `files`. Where a beam is assumed, its flat field is in none of them.
  init(_ reader: any ScanReader, files: [String], assumesBeam: Bool = false) throws {
    (byteCount, modified) = try Self.sizeAndTime(files)
    sha256 = try Self.digest(reader)
    counts = reader.info.isGrowing ? ImageCounts(reader.info, assumesBeam: assumesBeam) : nil
  }

  /// Throws where `files` have another size or time, all together. Reads nothing of them.
  func checkSizeAndTime(_ files: [String]) throws(ScanFailure) {
    let (byteCount, modified) = try Self.sizeAndTime(files)
    guard counts == nil else { return }
    let path = files.count == 1 ? files[0] : "\(files.first ?? "") and \(files.count - 1) more"
    guard byteCount == self.byteCount else {
      throw Self.changed(path, "it had \(self.byteCount) bytes and has \(byteCount)")
    }
    guard modified == self.modified else {
      let again = "it was written again"
      guard files.count == 1 else { throw Self.changed(path, again) }
      let time = "\(self.modified / 1_000_000_000).\(String(self.modified % 1_000_000_000 + 1_000_000_000).dropFirst())"
      throw Self.changed(path, "\(again); if it is the same all the same, say so with touch -d @\(time) \(path)")
    }
  }

  /// Throws where the open scan, which lies in `files`, is not what it was.
  func check(_ reader: any ScanReader, files: [String]) throws {
    try checkSizeAndTime(files)
    guard try Self.digest(reader) == sha256 else { throw Self.changed(reader.info.path, "it has other content") }
  }

  private static func changed(_ path: String, _ how: String) -> ScanFailure {
    ScanFailure(
      .data, "\(path) changed since the run was planned: \(how); put the file back, or reconstruct the new one anew")
  }

  /// Of several files, of all of them together and of the newest.
  private static func sizeAndTime(_ files: [String]) throws(ScanFailure) -> (byteCount: Int, modified: Int) {
    var total = (byteCount: 0, modified: Int.min)
    for file in files {
      let one = try sizeAndTime(file)
      total = (total.byteCount + one.byteCount, max(total.modified, one.modified))
    }
    return total
  }

  private static func sizeAndTime(_ path: String) throws(ScanFailure) -> (byteCount: Int, modified: Int) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw ScanFailure(.noInput, "cannot open \(path): \(String(cString: strerror(errno)))")
    }
    return (Int(status.st_size), status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec)
  }

  private static func digest(_ reader: any ScanReader) throws -> String {
    let info = reader.info
    var sum = SHA256()
    let facts =
      "\(info.format) \(info.projectionCount) \(info.flatCount) \(info.darkCount) \(info.rows) \(info.columns) "
      + "\(info.pixel) \(info.flatPixel) \(info.darkPixel) \(info.pixelSizeMillimetres.map { "\($0)" } ?? "-")"
    Array(facts.utf8).withUnsafeBytes { sum.update($0) }
    info.thetas.withUnsafeBytes { sum.update($0) }
    let row = info.rows / 2..<info.rows / 2 + 1
    let widest = [info.pixel, info.flatPixel, info.darkPixel].map(\.byteCount).max() ?? 1
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: info.columns * widest, alignment: 64)
    defer { buffer.deallocate() }
    func line(_ pixel: PixelType) -> UnsafeMutableRawBufferPointer {
      UnsafeMutableRawBufferPointer(rebasing: buffer[..<(info.columns * pixel.byteCount)])
    }
    for index in samples(of: info.darkCount) {
      try reader.readDark(index, rows: row, into: line(info.darkPixel))
      sum.update(UnsafeRawBufferPointer(line(info.darkPixel)))
    }
    for index in samples(of: info.flatCount) {
      try reader.readFlat(index, rows: row, into: line(info.flatPixel))
      sum.update(UnsafeRawBufferPointer(line(info.flatPixel)))
    }
    for index in samples(of: info.projectionCount) {
      try reader.readProjection(index, rows: row, into: line(info.pixel))
      sum.update(UnsafeRawBufferPointer(line(info.pixel)))
    }
    return sum.hexDigest()
  }

  /// The first, the last, and some between.
  private static func samples(of count: Int) -> [Int] {
    count <= samples ? Array(0..<count) : (0..<samples).map { $0 * (count - 1) / (samples - 1) }
  }
}

extension RunPlan {
  /// Throws where the scan file, or the file of a live source's fields, is not what it was when the run was planned.
  package func checkInputs() throws {
    if let input { try input.check(openPlanned(), files: scan.inputFiles()) }
    if let fieldsFile, let reader = try scan.openFields() { try fieldsFile.check(reader, files: [reader.info.path]) }
  }

  /// Opens the scan file, with the images that were there when the run was planned.
  func openPlanned() throws -> any ScanReader { try scan.openInput(input?.counts) }
}
