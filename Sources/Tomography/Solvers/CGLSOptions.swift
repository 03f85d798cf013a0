/// What can be chosen about CGLS.
package struct CGLSOptions: Sendable, Equatable {
  /// Only voxels of the inscribed disk take part; the others stay 0.
  var diskMask: Bool

  package init(diskMask: Bool = false) { self.diskMask = diskMask }
}
