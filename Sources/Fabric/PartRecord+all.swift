// All parts of a run.
extension PartRecord {
  /// The parts among the values of a run's bucket, in the order of granules. What is none, or does not fit `granules`,
  /// is passed over, and told to `notice`.
  package static func parts(
    in values: [String: FabricStore.Entry], of granules: Granules, notice: (String) -> Void
  ) -> [PartRecord] {
    (0..<granules.count).compactMap { granule in
      let key = FabricNames.part(granule)
      guard let entry = values[key] else { return nil }
      do throws(FabricError) {
        let part = try PartRecord(decoding: entry.value, what: key)
        guard part.granule == granule, part.range == granules[granule] else {
          throw .damaged(what: key, reason: "it is that of granule \(part.granule), rows \(part.range)")
        }
        return part
      } catch {
        notice("\(error)")
        return nil
      }
    }
  }

  /// Its rows in the edge's images.
  package var range: Range<Int> { firstRow..<firstRow + rows }
}
