/// What `bench windows` measured.
package struct WindowsReport: Codable, Sendable {
  /// What windows of one kind made of a scan.
  package struct Row: Codable, Sendable {
    /// Which windows.
    package var windows: String
    /// Projections that all updates went through.
    package var projections: Int
    /// Processor time of all updates of all slices, and of smoothing; one thread.
    package var updating: Double
    /// Likewise.
    package var smoothing: Double
    /// Decibels at a quarter, half, three quarters and the end of the scan; means over the slices.
    package var psnr: [Double]
    /// The smallest and the mean difference from the published windows, in any slice at any moment; decibels.
    package var worst: Double
    /// Likewise.
    package var gain: Double
  }

  /// All windows on the same scan.
  package struct Table: Codable, Sendable {
    /// `still`, `drift` or `pore`.
    package var sample: String
    /// In which projections came.
    package var order: String
    /// The published windows first.
    package var rows: [Row]
  }

  /// `release`, or `debug`, whose kernels are the same.
  var build: String
  /// The processor's name.
  var processor: String
  /// Columns of the detector.
  var columns: Int
  /// Projections of a half turn.
  var angles: Int
  /// Of all samples and noises.
  var seed: UInt64
  /// A table for each sample and order.
  package var tables: [Table]
}
