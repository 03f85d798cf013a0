import ArgumentParser
import ScanPlan

/// How the files of a volume are written, beside their format and bits.
struct OutputOptions: ParsableArguments {
  @Flag(help: .key("compress")) var compress = false

  /// Takes them over.
  func apply(to scan: inout ScanDescription) { scan.compress = compress }
}
