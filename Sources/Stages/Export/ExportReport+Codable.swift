internal import RunModel

/// The content of a run's `export.json`, where the counts of pixels stand beside the rest.
extension ExportReport: Codable {
  private enum CodingKeys: String, CodingKey {
    case outputs, isChecked, volumeSHA256, partsSHA256, denoisedSHA256, stoppedBy, projections, lost, lostFields,
      duplicates
    case updates, windowResiduals, finalResiduals, pace
    case fits, missingRows, range, rotationAxis, rotationAxisError
    case nonFinitePixels, clampedPixels, deadPixels, negativePixels
  }

  /// Reads what `encode` wrote.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      outputs: try fields.decode([String].self, forKey: .outputs),
      isChecked: try fields.decode(Bool.self, forKey: .isChecked),
      volumeSHA256: try fields.decode(String.self, forKey: .volumeSHA256),
      partsSHA256: try fields.decodeIfPresent([String].self, forKey: .partsSHA256) ?? [],
      denoisedSHA256: try fields.decodeIfPresent(String.self, forKey: .denoisedSHA256),
      stoppedBy: try fields.decode(String.self, forKey: .stoppedBy),
      projections: try fields.decode(Int.self, forKey: .projections),
      lost: try fields.decode(Int.self, forKey: .lost),
      lostFields: try fields.decode(Int.self, forKey: .lostFields),
      duplicates: try fields.decode(Int.self, forKey: .duplicates),
      updates: try fields.decode(Int.self, forKey: .updates),
      windowResiduals: try fields.decode([Double].self, forKey: .windowResiduals),
      finalResiduals: try fields.decode([Double].self, forKey: .finalResiduals),
      pace: try fields.decodeIfPresent(PaceReport.self, forKey: .pace),
      pixels: PixelCounts(
        nonFinite: try fields.decode(Int.self, forKey: .nonFinitePixels),
        clamped: try fields.decode(Int.self, forKey: .clampedPixels),
        dead: try fields.decode(Int.self, forKey: .deadPixels),
        negative: try fields.decode(Int.self, forKey: .negativePixels)),
      fits: try fields.decodeIfPresent([RowFit].self, forKey: .fits) ?? [],
      missingRows: try fields.decodeIfPresent([RowRange].self, forKey: .missingRows) ?? [],
      range: try fields.decodeIfPresent([Float].self, forKey: .range),
      rotationAxis: try fields.decodeIfPresent(Double.self, forKey: .rotationAxis),
      rotationAxisError: try fields.decodeIfPresent(Double.self, forKey: .rotationAxisError))
  }

  /// Writes one object.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(outputs, forKey: .outputs)
    try fields.encode(isChecked, forKey: .isChecked)
    try fields.encode(volumeSHA256, forKey: .volumeSHA256)
    if !partsSHA256.isEmpty { try fields.encode(partsSHA256, forKey: .partsSHA256) }
    try fields.encodeIfPresent(denoisedSHA256, forKey: .denoisedSHA256)
    try fields.encode(stoppedBy, forKey: .stoppedBy)
    try fields.encode(projections, forKey: .projections)
    try fields.encode(lost, forKey: .lost)
    try fields.encode(lostFields, forKey: .lostFields)
    try fields.encode(duplicates, forKey: .duplicates)
    try fields.encode(updates, forKey: .updates)
    try fields.encode(windowResiduals, forKey: .windowResiduals)
    try fields.encode(finalResiduals, forKey: .finalResiduals)
    try fields.encodeIfPresent(pace, forKey: .pace)
    try fields.encode(pixels.nonFinite, forKey: .nonFinitePixels)
    try fields.encode(pixels.clamped, forKey: .clampedPixels)
    try fields.encode(pixels.dead, forKey: .deadPixels)
    try fields.encode(pixels.negative, forKey: .negativePixels)
    if !fits.isEmpty { try fields.encode(fits, forKey: .fits) }
    try fields.encodeIfPresent(range, forKey: .range)
    try fields.encodeIfPresent(rotationAxis, forKey: .rotationAxis)
    try fields.encodeIfPresent(rotationAxisError, forKey: .rotationAxisError)
    if !missingRows.isEmpty { try fields.encode(missingRows, forKey: .missingRows) }
  }
}
