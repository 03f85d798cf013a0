import Testing

@Suite struct SimulationTests {
  /// 5,000 runs in ten parts; every fourth on a disk that lies.
  @Test(arguments: 0..<10) func `nothing acknowledged is lost or changed, whatever fails and whenever it ends`(
    _ part: Int
  ) throws {
    for seed in UInt64(part) * 500..<UInt64(part + 1) * 500 {
      do {
        var simulation = Simulation(seed: seed, lies: seed % 4 == 3)
        try simulation.run()
      } catch {
        Issue.record(error, "seed \(seed)")
        return
      }
    }
  }
}
