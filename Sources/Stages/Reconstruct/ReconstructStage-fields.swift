// The flat and dark fields that a scan needs.
extension ReconstructStage {
  /// Whether the scan's flat fields are still to come: without any, counts cannot become line integrals.
  var awaitsFlats: Bool { configuration.needs.flats && corrections.fieldCounts.flats == 0 }

  /// Throws where every flat or every dark field of the scan was lost. Darks that never came are done without where
  /// they may come late: that they would not come was not known when updates were made.
  func checkFields() throws {
    let counts = corrections.fieldCounts
    let needs = (flats: configuration.needs.flats, darks: configuration.needs.darks && !configuration.fieldsMayComeLate)
    for (kind, isNeeded, count) in [("flat", needs.flats, counts.flats), ("dark", needs.darks, counts.darks)]
    where isNeeded && count == 0 {
      throw StageError.lost(
        "no \(kind) field of the scan is left that shows anything, and projections cannot be corrected without; "
          + "look whether the shutter was open, or reconstruct the scan anew"
      )
    }
  }
}
