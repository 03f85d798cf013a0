/// What `bench kernel` measured. GUPS = angles × rows × columns² × (1 for one direction, 2 for a pair) / seconds / 10⁹.
public struct KernelReport: Codable, Sendable {
  /// Of all rounds.
  public struct Rate: Codable, Sendable {
    /// Of the fastest round.
    public var best: Double
    /// Of the round in the middle.
    public var median: Double
  }

  /// The processor's model.
  public var processor: String
  /// `debug` or `release`; the kernels are optimised in both.
  public var build: String
  /// Instructions used: x86-64 level 2 … 4.
  public var level: Int
  /// Threads that worked.
  public var threads: Int
  /// Projections.
  public var angles: Int
  /// Detector rows, which is slices.
  public var rows: Int
  /// Detector columns, which is both edges of a slice.
  public var columns: Int
  /// Slices interleaved in a block.
  public var lanes: Int
  /// How often everything was measured, in turn.
  public var rounds: Int

  /// A x, GUPS.
  public var forward: Rate
  /// Aᵀ y, GUPS.
  public var back: Rate
  /// Both, GUPS.
  public var pair: Rate
  /// A complete update of the algorithm, GUPS of a pair; of one direction for fbp.
  public var update: Rate
  /// Seconds of that update, the fastest and the one in the middle: a whole reconstruction for fbp.
  public var updateSeconds: Rate
  /// The algorithm, as on the command line.
  public var algorithm: String
  /// Whether the update left out voxels outside the inscribed disk; its GUPS count them all the same.
  public var diskMask: Bool

  /// Two multiply–adds an update, all in registers: GUPS of all threads.
  public var multiplyAddCeiling: Rate
  /// Two multiply–adds an update, each with a load from the first-level cache: GUPS of all threads.
  public var loadCeiling: Rate
  /// Reading memory that no cache holds: GB (10⁹) a second of all threads.
  public var memoryBandwidth: Rate
  /// The pair's best over the multiply–add ceiling's best.
  public var fractionOfMultiplyAdds: Double
  /// The pair's best over the load ceiling's best.
  public var fractionOfLoads: Double
  /// Median over the rounds of update / pair (for fbp: / back), each measured in the same round.
  public var updateToProjections: Double
}
