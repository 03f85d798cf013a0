import RunModel

// Which updates are made while the scan runs.
extension ScanKey {
  static let windows = [
    ScanKey(
      .method, "window-recent", \.windowRecent, "Newest projections of an update with spread windows (sirt).",
      unset: "1 with spread windows, which auto has while somebody looks", .within(1...WorkerOrder.spreadMax)),
    ScanKey(
      .method, "window-spread", \.windowSpread,
      "Earlier projections of an update, spread in angle over the newest quarter turn.",
      unset: "2 with spread windows", .within(0...WorkerOrder.spreadMax)),
    ScanKey(
      .method, "window-memory", \.windowMemory,
      "Memory for the projections that window-spread draws from; others are read from the disk.",
      unset: "as many as there are columns, which take as much as the volume"),
    ScanKey(
      .method, "window-length", \.windowLength, "Projections of a sliding window.", unset: "24", .within(1...countMax)),
    ScanKey(
      .method, "window-step", \.windowStep,
      "Projections between updates with sliding windows; 0 makes none while the scan runs.",
      unset: "1", .within(0...countMax)),
    ScanKey(
      .method, "live-binning", \.liveBinning,
      """
      While the scan runs, make updates of projections that are binned by squares of 2^K pixels: each takes up to 8^K \
      times less. With auto, K is the least with which they keep up with expect-rate (or rate). The final iterations \
      take the projections as they are.
      """, .binning),
  ]
}
