/// How far a view is.
package struct ViewStatus: Codable, Equatable, Sendable {
  /// Its name.
  package var name: String
  /// Items that are there.
  package var items: UInt64
  /// Items that were left out: their voxels were written over before they were copied, or the store was full, or
  /// something of them is lost.
  package var dropped: UInt64
  /// Bytes of voxels that were copied.
  package var storedBytes: UInt64
  /// Whether no more items come.
  var isComplete: Bool

  /// For people.
  package var words: String {
    "view \(name): \(items) items" + (dropped > 0 ? ", \(dropped) left out" : "")
      + (storedBytes > 0 ? ", \(storedBytes >> 20) MiB of voxels" : "") + (isComplete ? "" : ", open")
  }
}
