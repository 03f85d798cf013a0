/// What belongs together in a run, as a person asks for it: an item of the view has some events of one topic and those
/// of another that go with them.
package struct ViewRecord: Equatable, Sendable {
  /// What is joined.
  package enum Source: Equatable, Sendable {
    /// Every projection as it came.
    case projections
    /// Every projection as it was corrected.
    case corrected
    /// The updates of every worker, or those of one.
    case updates(Int?)
    /// What `control` says of the volume.
    case scores

    /// Whether it has images.
    var hasImages: Bool { self == .projections || self == .corrected }
  }

  /// What goes together.
  package enum Match: Equatable, Sendable {
    /// The n-th events of both.
    case order
    /// An update and the projections of its window.
    case window
    /// Projections whose angles differ by so many degrees, give or take the second of them.
    case angle(Double, Double)
  }

  /// What it is called.
  package let name: String
  /// What an item begins with, and how many of them.
  package var (from, fromCount): (Source, Int)
  /// What goes with these, and how many.
  package var (with, withCount): (Source, Int)
  /// What goes together.
  package var match: Match
  /// Rows of the volume that are copied with an update; nil for none.
  package var copied: Range<Int>?
  /// Bytes of voxels that are copied at most.
  package var storeMax: Int

  /// A gibibyte.
  static let storeUsually = 1 << 30
}
