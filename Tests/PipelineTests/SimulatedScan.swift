import Host
import TestSupport
import Testing

extension TestFolder {
  /// Simulates a small scan of foam as `foam.h5`, and gives its path.
  func simulate(rows: Int, columns: Int, projections: Int, _ options: String...) throws -> String {
    let scan = file("foam.h5")
    let outcome = try Command(
      [
        "simulate", scan, "--rows", "\(rows)", "--columns", "\(columns)", "--projections", "\(projections)", "--quiet",
      ] + options
    ).end()
    try #require(outcome.status == .exited(0), "\(outcome.errors)")
    return scan
  }
}
