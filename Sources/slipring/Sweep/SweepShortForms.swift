import ArgumentParser
import Host
import ScanPlan

/// Keys of `scan.yaml` that a sweep takes as options, with one value or with several.
struct SweepShortForms: ParsableArguments {
  @Option(name: [.customLong("rotation-axis"), .customLong("center")], help: Self.help("rotation-axis"))
  var rotationAxis: String?
  @Option(help: Self.help("algorithm")) var algorithm: String?
  @Option(help: Self.help("final-iterations")) var finalIterations: String?
  @Option(help: Self.help("reg")) var reg: String?
  @Option(help: Self.help("filter")) var filter: String?
  @Option(help: Self.help("paganin")) var paganin: String?
  @Option(help: Self.help("stripe-removal")) var stripeRemoval: String?
  @Option(help: Self.help("denoise")) var denoise: String?

  private static func help(_ name: String) -> ArgumentHelp {
    ArgumentHelp("One or several values of \(name), as of --vary.", valueName: "values")
  }

  private var given: [(name: String, text: String)] {
    [
      ("rotation-axis", rotationAxis), ("algorithm", algorithm), ("final-iterations", finalIterations), ("reg", reg),
      ("filter", filter), ("paganin", paganin), ("stripe-removal", stripeRemoval), ("denoise", denoise),
    ].compactMap { name, text in text.map { (name, $0) } }
  }

  /// Gives the scan what has one value; the other is what varies, here or in `vary`.
  /// - Throws: `.usage` where not just one option varies.
  func apply(to scan: inout ScanDescription, vary: String?) throws(ScanFailure) -> SweepValues {
    var varied = try vary.map { text throws(ScanFailure) in [try SweepValues(text)] } ?? []
    for (name, text) in given {
      // `--reg 0.1,2` is one value, with a comma.
      var one = scan
      if (try? one.set(name, to: text)) != nil {
        scan = one
      } else {
        varied.append(try SweepValues(name: name, text: text, option: "--\(name) \(text)"))
      }
    }
    guard varied.count <= 1 else {
      throw ScanFailure(
        .usage, "\(varied.map(\.name).joined(separator: " and ")) vary: a sweep varies one option")
    }
    guard let values = varied.first else {
      throw ScanFailure(.usage, "nothing varies: give an option several values, as --rotation-axis 290:302:0.5")
    }
    if given.contains(where: { $0.name == values.name && vary != nil }) {
      throw ScanFailure(.usage, "\(values.name) is what --vary varies")
    }
    return values
  }
}
