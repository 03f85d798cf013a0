package import RunModel
package import Tomography

/// A volume in memory of one's own, as it was read from the disk: what each worker saved, one below the other.
package struct SavedVolume {
  /// The rows of one worker.
  package struct Rows {
    /// Its slices.
    let slices: GenerationSlices
    /// What they lie in.
    let memory: ScratchMemory

    /// A part as given.
    package init(slices: GenerationSlices, memory: ScratchMemory) { (self.slices, self.memory) = (slices, memory) }
  }

  private let parts: [Rows]

  /// At least one part, from top to bottom.
  package init(_ parts: [Rows]) {
    precondition(!parts.isEmpty, "a volume without rows")
    self.parts = parts
  }

  /// Writes the files and, with `configuration.checks`, reads them back; `facts` go into the HDF5 file, and of `fits`,
  /// where there are any, each slice's into its own. Every file is complete or not there. Gives their paths, the
  /// volume's SHA-256 and what integers stand for, nil where `stopRequested` said so in between.
  package func export(
    _ configuration: ExportConfiguration, facts: [String: String], fits: [RowFit] = [],
    stopRequested: @escaping () -> Bool
  ) throws -> (outputs: [String], volumeSHA256: String, range: ClosedRange<Float>?)? {
    // What the slices point into.
    defer { for part in parts { withExtendedLifetime(part.memory) {} } }
    let source = VolumeSource(parts: parts.map(\.slices))
    let writer = VolumeExport(
      configuration: configuration, source: source, fits: fits, room: nil, stopRequested: stopRequested)
    guard let written = try writer.write(facts) else { return nil }
    if configuration.checks { guard try writer.check() else { return nil } }
    return (written.outputs, written.digest, written.range)
  }
}
