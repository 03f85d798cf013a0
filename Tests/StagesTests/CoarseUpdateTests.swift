import KernelTypes
import Rings
import RunModel
import Testing
import Tomography

@testable import Stages

// What workers make of orders that go to a coarse grid and come from it, whenever they say so.
extension SpreadWindowTests {
  private static let coarse = LiveBinning(
    layout: LiveLayout(layout: SliceLayout(columns: 8, rows: 2), factor: 2),
    beams: [ParallelBeam(columns: 8, rotationAxis: 4)])

  private static let methods: [Method] = [
    .sirt(SIRTOptions(relaxation: 0.5, diskMask: true)), .expectationMaximisation(EMOptions(diskMask: true)),
    .conjugateGradients(CGLSOptions()),
  ]

  /// Orders whose updates with these numbers, and all behind them up to the next one, are of the other grid.
  private func orders(_ images: Ring, changes: Set<Int>, finalIterations: Int) throws -> Ring {
    let plain = try ring(.orders(partition: 0), "-plain")
    try distribute(images, to: [plain], finalIterations: finalIterations)
    var isCoarse = false
    let changed = try copy(plain, first: .max, "") { order, progress in
      if case .update(let index, _, _, _, _) = order, changes.contains(index) { isCoarse.toggle() }
      progress.isCoarse = isCoarse
    }
    // What is left is the end.
    try distribute(images, to: [changed], finalIterations: finalIterations)
    return changed
  }

  @Test(
    arguments: [
      (0, [5, 6, 9, 10, 11, 30]), (0, [0, 17]), (1, [13, 39]), (1, [20]), (2, [5, 12, 13, 20]),
    ] as [(Int, Set<Int>)])
  func `Whoever dies between grids makes the same volume, and the final iterations go on from either`(
    method: Int, changes: Set<Int>
  ) throws {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let images = try images(), orders = try orders(images, changes: changes, finalIterations: 2)
    func worker(_ orders: Ring, _ updates: Ring, _ volume: VolumeRegion, limits: WaitLimits = WaitLimits()) throws
      -> ReconstructStage
    {
      try self.worker(
        orders, images, updates, volume, memory: 1000, limits: limits, method: Self.methods[method],
        keepsProjections: true, coarse: Self.coarse)
    }
    let (whole, broken) = (
      try volume(0, coarse: Self.coarse.layout), try volume(1, coarse: Self.coarse.layout)
    )
    _ = try worker(orders, ring(.updates(partition: 0)), whole).run()
    let updates = try ring(.updates(partition: 1))
    // Fields come first, then each projection and its update. Who begins where the grid changes finds zeros around what
    // is written next, and who goes on must have seen to them.
    for change in changes.sorted() where change > 0 {
      let part = try copy(orders, first: 2 + 2 * change, "-\(change)")
      #expect(throws: StageError.self) {
        _ = try worker(part, updates, broken, limits: WaitLimits(idle: .milliseconds(1))).run()
      }
      let newest = try #require(try broken.newestUpdate())
      let isCoarse = changes.count { $0 < change } % 2 == 1
      #expect(
        newest.isCoarse == isCoarse && broken.isCoarse(broken.newest) == isCoarse, "update \(newest.index) of \(change)"
      )
    }
    _ = try worker(orders, updates, broken).run()
    let made = slices(whole)
    #expect(try whole.newestUpdate()?.phase == .final)
    #expect(made == slices(broken) && made.allSatisfy(\.isFinite) && made.contains { $0 != 0 })
    // Methods of factors would leave a voxel zero for ever.
    guard case .expectationMaximisation = Self.methods[method] else { return }
    let mask = DiskMask(columns: 16, isDisk: true)
    for row in 0..<16 {
      for column in mask.columns(row: row) { #expect(made[row * 16 + column] > 0, "\(row), \(column)") }
    }
  }

  @Test func `An order for a grid that the run does not have is refused`() throws {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let images = try images(), orders = try orders(images, changes: [3], finalIterations: 0)
    #expect(throws: StageError.self) {
      _ = try worker(orders, images, ring(.updates(partition: 0)), volume(0), memory: 1000).run()
    }
  }
}
