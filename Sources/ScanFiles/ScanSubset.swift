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
    return ScanSubset(self, projections)
  }
}

/// Some projections of a scan, one behind the other.
private final class ScanSubset: ScanReader {
  let info: ScanInfo
  private let scan: any ScanReader
  private let projections: Range<Int>

  init(_ scan: any ScanReader, _ projections: Range<Int>) {
    precondition(!projections.isEmpty && projections.lowerBound >= 0, "projections \(projections)")
    (self.scan, self.projections) = (scan, projections)
    info = scan.info.keeping(projections)
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition(0..<projections.count ~= index, "projection \(index) of \(projections.count)")
    try scan.readProjection(projections.lowerBound + index, rows: rows, into: buffer)
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
