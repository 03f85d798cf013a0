package import Host

/// How many images of each kind there were when a file was opened for the first time.
package struct ImageCounts: Codable, Equatable, Sendable {
  let projections: Int
  let flats: Int
  let darks: Int

  /// Those of a scan. An assumed beam is no image.
  package init(_ info: ScanInfo, assumesBeam: Bool = false) {
    (projections, flats, darks) = (info.projectionCount, assumesBeam ? 0 : info.flatCount, info.darkCount)
  }
}

extension ScanReader {
  /// The same scan with its first images only: of a file to which somebody may have added since.
  /// - Throws: `.badData` where it has fewer.
  package func limited(to counts: ImageCounts) throws(FileError) -> any ScanReader {
    guard ImageCounts(info) != counts else { return self }
    guard info.projectionCount >= counts.projections, info.flatCount >= counts.flats, info.darkCount >= counts.darks
    else {
      throw .badData(path: info.path, reason: "it has fewer images than before; was it written anew?")
    }
    var few = info
    (few.projectionCount, few.flatCount, few.darkCount) = (counts.projections, counts.flats, counts.darks)
    few.thetas = Array(info.thetas.prefix(counts.projections))
    few.flatsBehind = info.flatsBehind.map { max(0, $0 - (info.flatCount - counts.flats)) }
    return ScanExcerptReader(self, few, firstProjection: 0)
  }
}
