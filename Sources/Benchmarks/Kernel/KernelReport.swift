/// What `bench kernel` measured. GUPS = angles × rows × columns² × (1 for one direction, 2 for a pair) / seconds / 10⁹.
package struct KernelReport: Codable, Sendable {
  /// Of all rounds.
  package struct Rate: Codable, Sendable {
    /// Of the fastest round.
    package var best: Double
    /// Of the round in the middle.
    package var median: Double
  }

  /// GUPS for each second that processors worked, all threads together: what a core does, and what neighbours on the
  /// machine and waiting do not change.
  package struct CoreRates: Codable, Sendable {
    /// A x, Aᵀ y and both.
    package var forward: Rate, back: Rate, pair: Rate
    /// A complete update, as `KernelReport.update`.
    package var update: Rate
    /// A x, Aᵀ y and both in fixed point.
    package var fixedForward: Rate, fixedBack: Rate, fixedPair: Rate
    /// What a core does at most, as the ceilings of all threads.
    package var multiplyAddCeiling: Rate, loadCeiling: Rate
  }

  /// The processor's model.
  package var processor: String
  /// `debug` or `release`; the kernels are optimised in both.
  package var build: String
  /// Instructions used: x86-64 level 2 … 4.
  package var level: Int
  /// Threads that worked.
  package var threads: Int
  /// Projections.
  package var angles: Int
  /// Detector rows, which is slices.
  package var rows: Int
  /// Detector columns, which is both edges of a slice.
  package var columns: Int
  /// Slices interleaved in a block.
  package var lanes: Int
  /// How often everything was measured, in turn.
  package var rounds: Int

  /// A x, GUPS.
  package var forward: Rate
  /// Aᵀ y, GUPS.
  package var back: Rate
  /// Both, GUPS.
  package var pair: Rate
  /// A complete update of the algorithm, GUPS of a pair; of one direction for fbp.
  package var update: Rate
  /// A x, Aᵀ y and both in fixed point, GUPS.
  package var fixedForward: Rate, fixedBack: Rate, fixedPair: Rate
  /// The same by processor time.
  package var core: CoreRates
  /// Seconds of that update, the fastest and the one in the middle: a whole reconstruction for fbp.
  package var updateSeconds: Rate
  /// The algorithm, as on the command line.
  package var algorithm: String
  /// Whether the update left out voxels outside the inscribed disk; its GUPS count them all the same.
  var diskMask: Bool

  /// Two multiply–adds an update, all in registers: GUPS of all threads.
  package var multiplyAddCeiling: Rate
  /// Two multiply–adds an update, each with a load from the first-level cache: GUPS of all threads.
  package var loadCeiling: Rate
  /// Reading memory that no cache holds: GB (10⁹) a second of all threads.
  package var memoryBandwidth: Rate
  /// The pair's best over the multiply–add ceiling's and over the load ceiling's best, all of a core.
  package var fractionOfMultiplyAdds: Double, fractionOfLoads: Double
  /// The same of the pair in fixed point: the ceilings are those of float.
  package var fixedFractionOfMultiplyAdds: Double, fixedFractionOfLoads: Double
  /// Median over the rounds of the pair in fixed point / that in float, of a core.
  package var fixedToFloat: Double
  /// Median over the rounds of update / pair (for fbp: / back) of a core, each measured in the same
  /// round.
  package var updateToProjections: Double
  /// Median over the rounds of an inner step of total variation / a pair over one angle, of a core, in float and in
  /// fixed point.
  package var variationPairs: Double, variationFixedPairs: Double
}
