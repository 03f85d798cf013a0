import ScanPlan
import Testing

/// Records of stages beside the run.
@Suite struct UserStagesTests {
  @Test(arguments: [
    "denoise", "denoise,method=nlm", "segment,within=0.5 analyse,reads=segment",
    "name=a,program=/bin/true", "name=a,program=/bin/true,every=10s,writes=labels:u8",
    "name=net,onnx=/m.onnx", "name=net,onnx=/m.onnx,python=/venv/bin/python,every=final,reads=volume",
    "denoise name=net,onnx=/m.onnx,reads=denoise,writes=labels:u8",
  ])
  func `Are written as they are read`(text: String) throws {
    let stages = try #require(UserStages(scanText: text))
    #expect(UserStages(scanText: stages.scanText) == stages)
  }

  @Test(arguments: [
    "", "name=a", "program=/bin/true", "name=a,onnx=", "name=a,onnx=/m,python=", "name=a,python=/bin/python",
    "name=a,onnx=/m,program=/bin/true", "name=a,program=/bin/true,python=/bin/python", "onnx=/m",
    "name=a,onnx=/m,writes=volume", "name=a,onnx=/m,onnx=/m", "denoise,onnx=/m", "name=volume,onnx=/m",
    "name=a,onnx=/m name=a,onnx=/m",
  ])
  func `Have no other form`(text: String) { #expect(UserStages(scanText: text) == nil) }

  @Test func `A model writes numbers where nothing is said, and is run by Python`() throws {
    let records = try #require(
      UserStages(scanText: "name=a,onnx=/m.onnx name=b,onnx=/m.onnx,python=/p,writes=labels:u8")
    ).records
    #expect(records.map(\.writes) == [.volume, .labels])
    #expect(records.map(\.work.model) == ["/m.onnx", "/m.onnx"] && records.map(\.work.program) == [nil, "/p"])
    #expect(records[0].work.command == ["/usr/bin/env", "python3", "-m", "slipring.onnx"])
    #expect(records[1].work.command == ["/p", "-m", "slipring.onnx"])
  }
}
