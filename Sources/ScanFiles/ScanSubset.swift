package import Host

extension ScanReader {
  /// The same scan with only some of its projections, which are numbered from 0 again; fields are all there.
  /// - Throws: `.badData` where it has no such projections.
  package func keeping(_ projections: Range<Int>) throws(FileError) -> any ScanReader {
    guard projections.upperBound <= info.projectionCount else {
      throw .badData(
        path: info.path,
        reason: "it has \(info.projectionCount) projections, and --subset asks for those up to "
          + "\(projections.upperBound - 1)")
    }
    return ScanExcerptReader(self, info.keeping(projections), firstProjection: projections.lowerBound)
  }
}

/// Some images of a scan: projections from one on, and the first fields.
final class ScanExcerptReader: ScanReader {
  let info: ScanInfo
  private let scan: any ScanReader
  private let firstProjection: Int

  /// Those that `info` counts of `scan`.
  init(_ scan: any ScanReader, _ info: ScanInfo, firstProjection: Int) {
    precondition(
      info.projectionCount > 0 && firstProjection >= 0
        && firstProjection + info.projectionCount <= scan.info.projectionCount,
      "\(info.projectionCount) projections from \(firstProjection) on of \(scan.info.projectionCount)")
    (self.scan, self.info, self.firstProjection) = (scan, info, firstProjection)
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition(0..<info.projectionCount ~= index, "projection \(index) of \(info.projectionCount)")
    try scan.readProjection(firstProjection + index, rows: rows, into: buffer)
  }

  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readFlat(index, rows: rows, into: buffer)
  }

  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readDark(index, rows: rows, into: buffer)
  }
}

extension ScanInfo {
  fileprivate func keeping(_ projections: Range<Int>) -> ScanInfo {
    var info = self
    info.projectionCount = projections.count
    info.thetas = Array(thetas[projections])
    info.notices.append(
      "projections \(projections.lowerBound) to \(projections.upperBound - 1) of \(projectionCount) are used")
    return info
  }
}
