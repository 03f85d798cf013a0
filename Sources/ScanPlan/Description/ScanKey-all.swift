// To add a key: a property of ScanDescription, a row here (or in an array of its own, in a file of its subject, that
// `all` adds), an option in Sources/slipring that takes its words from `ScanKey.help`, and a rule in
// ScanDescription-validation where it contradicts another key. Tests find a row without a property, an option or a
// limit that its default keeps.
extension ScanKey {
  /// Every key, in the order of the file that `init` writes.
  package static let all: [ScanKey] =
    input + measurement + selection + source + region + method + windows + subsets + filters + stages + control
    + triggers + views + machine + pace + fabric + output + series + events + safety

  /// Limits that keep arithmetic on sizes far from overflow; no real scan comes near them.
  static let countMax = 1_000_000

  private static let input = [
    ScanKey(
      .input, "input", \.input,

      "The scan file (DXchange, NXtomo), TIFF files (a folder, a pattern, a stack), or the address of a live source.",
      .needed("the scan file")),
    ScanKey(
      .input, "rate", \.rate, "Projections a second at most; of a live source, those to be ready for.",
      unset: "as fast as the file is read",
      // One projection a day … faster than any detector.
      .within(1e-5...1e9, "projections a second")),
    ScanKey(.input, "minus-log", \.minusLog, "Whether the data are counts; auto: where there are flat fields."),
    ScanKey(
      .input, "i0", \.i0,
      "Intensity of the beam where there are no flat fields, in counts; border: as the outermost columns show it.",
      unset: "flat fields say it"),
    ScanKey(
      .input, "flat-fields", \.flatFields,
      "What projections are divided by: the mean of all flat fields, or what lies between those before and behind the "
        + "scan at each one's time."),
    ScanKey(.input, "theta-unit", \.thetaUnit, "Unit of the angles in the file."),
  ]

  private static let region = [
    ScanKey(
      .region, "rotation-axis", \.rotationAxis,
      """
      Rotation axis in pixels from the detector's left edge; auto finds it from the projections, also while they come; \
      last takes that of the newest finished run beside this one's folder, from:RUN-FOLDER that of a run.
      """
    ),
    ScanKey(
      .region, "axis-tilt", \.axisTilt,
      """
      Tilt of the rotation axis in the plane of the detector, in degrees, above 0 where it is farther right in lower \
      rows; auto finds it. rotation-axis is then where it crosses the middle of the detector's rows.
      """,
      .small),
    ScanKey(
      .region, "field-of-view", \.fieldOfView,
      """
      full: slices as wide as the detector; half (half acquisition): as wide as twice its reach from the axis, over a \
      whole turn; auto: half where the file says so or the axis is not in the middle.
      """
    ),
    ScanKey(.region, "start-row", \.startRow, "First detector row.", unset: "the top row", .within(0...countMax)),
    ScanKey(
      .region, "end-row", \.endRow, "The row after the last.", unset: "all rows to the bottom", .within(1...countMax)),
    ScanKey(
      .region, "nsino", \.nsino,
      "A single row by its relative height, in place of start-row and end-row: 0 top, 1 bottom.",
      unset: "all rows", .within(0...1, "(0 top, 1 bottom)")),
    ScanKey(.region, "binning", \.binning, "Bin squares of 2^K pixels.", .within(0...6)),
  ]

  private static let method = [
    ScanKey(
      .method, "algorithm", \.algorithm,
      "Reconstruction method; auto: what suits, SIRT while the scan runs and ordered subsets with a penalty after it."),
    ScanKey(
      .method, "final", \.final,
      "Method of the final iterations; auto makes the same volume whatever the windows made.",
      unset: "that of algorithm"),
    ScanKey(.method, "window-iter", \.windowIter, "Iterations of an update.", .within(1...countMax)),
    ScanKey(
      .method, "final-iterations", \.finalIterations, "Iterations over all projections after the scan.",
      unset: "20, with cgls 10, with auto what its rule gives", .within(0...countMax)),
    ScanKey(
      .method, "final-subsets", \.finalSubsets, "Ordered subsets of each final iteration.",
      unset: "8 with osem, with auto what its rule gives, else 1",
      .within(1...countMax)),
    ScanKey(
      .method, "window-subsets", \.windowSubsets, "Ordered subsets of each iteration of an update.",
      unset: "4 with osem, else 1",
      .within(1...countMax)),
    ScanKey(
      .method, "initial", \.initial,
      """
      What the final iterations start from; zero: what the windows made, or nothing with another --final or with \
      --live-binning. Not of auto.
      """
    ),
    ScanKey(
      .method, "reg", \.regularisation, "Strength of a pml penalty, and for pml-hybrid the difference that is an edge.",
      unset: "100,0.001"),
    ScanKey(.method, "filter", \.filter, "Window on the ramp filter of fbp.", unset: "ramp, which is none"),
    ScanKey(.method, "relaxation", \.relaxation, "Relaxation of sirt.", .between(0, 2, "where SIRT converges")),
    ScanKey(.method, "non-negative", \.nonNegative, "Set negative voxels to zero after every update (auto, sirt)."),
    ScanKey(
      .method, "disk-mask", \.diskMask,
      """
      Keep voxels outside the inscribed disk at zero; auto: only where a file holds integers (--bits 8, 16), and the \
      volume stays as it is computed.
      """),
  ]

  private static let machine = [
    ScanKey(.machine, "workers", \.workers, "Reconstruction processes.", unset: "one a NUMA node", .within(1...31)),
    ScanKey(.machine, "threads", \.threads, "Threads of each.", unset: "one a core", .within(1...1024)),
    ScanKey(
      .machine, "bands", \.bands,
      "Bands that the rows are cut into, which workers make and hand to each other (slipring workers).",
      unset: "one a worker"),
    ScanKey(
      .machine, "lag-max", \.lagMax,
      "Make updates less often while a worker is this many projections behind; 0: never.",
      unset: "twice the window with rate or a detector that does not wait, otherwise 0", .within(0...countMax)),
    ScanKey(
      .machine, "disk-buffer", \.diskBuffer,
      "GiB of memory for images that wait for a slow disk, where the source cannot wait.",
      unset: "4, less where that is more than an eighth of free memory or 8 seconds' images", .within(0...1024, "GiB")),
  ]

  private static let output = [
    ScanKey(.output, "output-folder", \.outputFolder, "Folder of the reconstructed slices.", .folder),
    ScanKey(
      .output, "run-folder", \.runFolder, "Folder of everything else that belongs to the run.",
      unset: "run-<id> in the output folder",
      .folder),
    ScanKey(
      .output, "format", \.format,
      "What is written: TIFF slices, one HDF5 file, both, one OME-Zarr folder with several resolutions, or all."),
    ScanKey(.output, "log-level", \.logLevel, "The least serious messages of the run's logs."),
    ScanKey(.output, "bits", \.bits, "Bits of a TIFF sample; 8 and 16 are integers over range."),
    ScanKey(
      .output, "range", \.range,
      "What integers cover: two values, or percentiles of the voxels inside the disk, the same for all slices.",
      unset: "P0.1,P99.9", .ascending),
    ScanKey(.output, "zarr-version", \.zarrVersion, "Version of OME-Zarr: 0.5 on Zarr 3, 0.4 on Zarr 2."),
    ScanKey(
      .output, "compress", \.compress,
      "Compress the HDF5 file, by what every reader of HDF5 has (shuffle and deflate)."),
  ]

  private static let safety = [
    ScanKey(
      .safety, "durability", \.durability,
      "durable: every event is on disk before it is used, and resume survives the machine; memory: only stages may die."
    ),
    ScanKey(
      .safety, "mirror", \.mirror,
      "An empty folder, on another disk, where the journals are kept once more; nothing is lost as long as one is.",
      unset: "none", .folder),
    ScanKey(
      .safety, "parity", \.parity,
      """
      Code sealed segments of the journals into DATA + PARITY shards, each in an empty folder on a disk of its own; \
      any PARITY of them may be lost.
      """, unset: "none", .coded),
    ScanKey(
      .safety, "scrub", \.scrub,
      "Read journals again, and mend them with --mirror or --parity, each so many seconds of a run; 0 for never.",
      .within(0...604_800, "seconds")),
    ScanKey(
      .safety, "checkpoint-every", \.checkpointEvery,
      "Save the volume after so many updates, or seconds as in 30s; 0 for never."),
    ScanKey(
      .safety, "retain", \.retain,
      """
      How long the run folder stays after success: keep; none, once the output was read back; or days, \
      after which a later run beside it removes it.
      """
    ),
  ]
}
