public import Tomography

/// How a worker computes: the method of windows and of the final sweeps.
public struct Recipe: Sendable {
  /// What updates do while the scan runs.
  public var window: Method
  /// Ordered subsets of each of their iterations.
  public var windowSubsets: Int
  /// What sweeps over all projections do.
  public var final: Method
  /// What makes the volume that the sweeps start from, in place of the windows: one method or none.
  public var initial: [Method]
  /// What a person can do when the residual is not finite.
  public var remedy: String

  /// `window` serves for the final sweeps too unless `final` is given.
  public init(window: Method, windowSubsets: Int = 1, final: Method? = nil, initial: Method? = nil, remedy: String) {
    self.window = window
    self.windowSubsets = windowSubsets
    self.final = final ?? window
    self.initial = initial.map { [$0] } ?? []
    self.remedy = remedy
  }

  /// Whether line integrals below zero have no meaning.
  var needsNonNegative: Bool { !final.startsFromZero }
}
