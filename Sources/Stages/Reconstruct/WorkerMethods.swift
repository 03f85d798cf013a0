package import Tomography

/// How a worker computes: the method of windows and of the final iterations.
package struct WorkerMethods: Sendable {
  /// What updates do while the scan runs.
  package var window: Method
  /// Ordered subsets of each of their iterations.
  var windowSubsets: Int
  /// What the final iterations do.
  package var final: Method
  /// What makes the volume that the final iterations start from, in place of the windows: one method or none.
  var initial: [Method]
  /// What a person can do when the residual is not finite.
  var remedy: String

  /// `window` serves for the final iterations too unless `final` is given.
  package init(window: Method, windowSubsets: Int = 1, final: Method? = nil, initial: Method? = nil, remedy: String) {
    self.window = window
    self.windowSubsets = windowSubsets
    self.final = final ?? window
    self.initial = initial.map { [$0] } ?? []
    self.remedy = remedy
  }

  /// Whether line integrals below zero have no meaning.
  var needsNonNegative: Bool { !final.startsFromZero }
}
