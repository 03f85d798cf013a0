/// How far a scan in a spool is: which of its projections came. Reads no image.
package final class SpoolProgress {
  private let reader: SpoolReader
  private let folder: String
  private var part: SpoolPart
  private var came: [Bool]
  /// Projections that came.
  package private(set) var count = 0
  /// Projections up to the last one that came, lost ones included.
  private(set) var reached = 0
  /// What is known of the scan.
  package private(set) var description: SpoolDescription

  /// Frames that are looked at before somebody may look whether there is something else to do.
  private static let passedMax = 10_000

  /// The spool in `folder` of a scan of so many fields and projections; `firstFrame` where its number was said.
  package init(folder: String, projections: Int, fields: Int, firstFrame: UInt64?) throws {
    self.folder = folder
    reader = try SpoolReader(folder: folder)
    description = reader.description
    part = SpoolPart(0..<projections, of: projections, fields: fields, first: firstFrame ?? description.firstFrame)
    came = [Bool](repeating: false, count: projections)
  }

  /// Projections that did not come: up to the last one that did, or where the scan has ended all of them.
  package var lost: Int { (hasEnded ? came.count : reached) - count }

  /// Whether no frame will come any more.
  package var hasEnded: Bool { description.ended != nil }

  /// Looks what came since, up to some thousand frames of it; true where all was looked at.
  package func look() throws -> Bool {
    // Before the frames: none comes behind an end.
    if description.ended == nil { description = try SpoolDescription.read(folder) }
    for _ in 0..<Self.passedMax {
      guard let coming = try reader.coming() else { return true }
      reader.skip()
      guard let header = coming.frame else { continue }
      if let projection = part.projection(header), projection < came.count {
        reached = max(reached, projection + 1)
        if !came[projection] { count += 1 }
        came[projection] = true
      }
      part.note(header)
    }
    return false
  }

  /// Whether one of these projections came.
  package func hasBegun(_ projections: Range<Int>) -> Bool { came[projections].contains(true) }

  /// Whether none of these projections will come that has not.
  package func isOver(_ projections: Range<Int>) -> Bool {
    hasEnded || reached > projections.upperBound && part.isOver(reached - 1 - projections.upperBound)
  }
}
