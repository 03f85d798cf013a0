import ScanFiles
import Tomography

// What the output says of a run, beside the volume.
extension RunPlan {
  /// The file in the run's folder that has what the input says of its measurement.
  package static let metadataName = "metadata.h5"

  /// Writes what the scan file, or the file of a live source's fields, says of the measurement, and what the
  /// description says of it; a sentence where something of it cannot be read.
  package func writeMetadata(to path: String) throws -> String? {
    guard hasMetadata else { return nil }
    let source = metadataSource
    let thetas = live == nil ? try openPlanned().info.thetas : []
    let visits = scan.order.visits(thetas: thetas)
    let unreadable = try ScanMetadata.write(
      of: source, live == nil ? scan.selection : ScanSelection(), thetas: visits.map { thetas[$0] },
      ScanMetadata.Words(sample: scan.sample, energy: scan.energy), to: path)
    guard unreadable > 0 else { return nil }
    return "\(unreadable) of the things that \(source ?? "the scan") says of its measurement cannot be read and are "
      + "left out"
  }

  /// The file that knows of the measurement; nil where there is none.
  private var metadataSource: String? { live == nil ? scan.input : scan.fields }

  private var hasMetadata: Bool { metadataSource != nil || scan.sample != nil || scan.energy != nil }

  /// What is known of the scan named `name`.
  func description(name: String) -> VolumeDescription {
    var about = VolumeDescription()
    about.name = name
    about.firstSlice = firstSlice
    about.voxelSizeMillimetres = pixelSizeMillimetres
    about.rotationAxis = knownAxis
    about.source = scan.input
    about.date = created
    about.options = scan.withoutSecrets.words
    about.metadata = !hasMetadata ? nil : scan.runFolder.map { "\($0)/\(Self.metadataName)" }
    return about
  }
}
