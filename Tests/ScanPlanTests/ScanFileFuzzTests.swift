import ScanPlan
import Testing

/// What no person writes.
@Suite struct ScanFileFuzzTests {
  /// Equal seeds give equal numbers (Steele, Lea and Flood, 2014).
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }

  private static let whole = Array(
    ("# a comment\ninput: \"a b.h5\"\noutput-folder: 'out'\nwindow-length: 12\n"
      + "reg: 1,2\nbits: 16\nretain: 30\nworkers:\nrate: 1e3\n").utf8)
  private static let pieces = [
    "[", "{", "]", "}", "- ", "? ", ": ", "&a ", "*a", "!!binary ", "!<", "|\n ", ">-\n", "---\n", "...\n",
    "%YAML 9.9\n", "\"", "'", "#",
    "\t",
    "\r", "\u{0}", "\u{FEFF}", "\u{2028}", "é", "<<: ", "~", "\\x", "@", "`", "input: ", "window-length: ",
    "9999999999999999999", "nan",
    "\n  ",
  ].map { Array($0.utf8) }

  /// A file of the seed's: a good one that is cut, overwritten, or mixed with what YAML gives a meaning to; or bytes
  /// without any.
  private static func file(_ seed: UInt64) -> [UInt8] {
    var random = Generator(state: seed)
    if seed % 16 == 0 {
      return (0..<Int.random(in: 0...400, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }
    var bytes = whole
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes.removeLast(bytes.count - place)
      case 1 where place < bytes.count: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
      default:
        let piece = pieces.randomElement(using: &random) ?? []
        // Sometimes as deep as it goes.
        let count = Int.random(in: 0..<50, using: &random) == 0 ? 2_000 : Int.random(in: 1...3, using: &random)
        bytes.insert(contentsOf: Array(repeating: piece, count: count).joined(), at: place)
      }
    }
    return bytes
  }

  @Test func `Ten thousand broken files are each read or refused with clear lines, and none takes long`() {
    var clean = 0
    for seed in UInt64(0)..<10_000 {
      let start = ContinuousClock.now
      let file = ScanFile(path: "scan.yaml", bytes: Self.file(seed))
      #expect(ContinuousClock.now - start < .seconds(10), "seed \(seed)")
      if file.problems.isEmpty { clean += 1 }
      for problem in file.problems {
        let line = file.located(problem)
        #expect(
          !line.contains(where: \.isNewline) && line.count < 400 && !problem.text.isEmpty, "seed \(seed): \(line)")
      }
    }
    // Neither all nor none are broken, or the test would try little.
    #expect((100...9_000).contains(clean), "\(clean) without a problem")
  }

  @Test func `Deep nesting, long lines and bombs of aliases are bounded`() {
    let levels = "abcdefghij".map(String.init)
    let bomb =
      "a: &a [x,x,x,x,x,x,x,x,x]\n"
      + zip(levels.dropFirst(), levels).map { name, inner in
        "\(name): &\(name) [\(Array(repeating: "*\(inner)", count: 9).joined(separator: ","))]\n"
      }.joined()
    let keys = "? &a [x, x]\n: 1\n" + "? &b [*a, *a]\n: 1\n" + "? [*b, *b]\n: 1\n"
    for text in [
      bomb, keys, String(repeating: "[", count: 60_000), String(repeating: "{a: ", count: 15_000),
      String(repeating: "- ", count: 30_000),
      String(repeating: "? ", count: 30_000), "input: \"" + String(repeating: "\\n", count: 30_000),
      String(repeating: "a: ", count: 20_000),
      (0..<10_000).map { "k\($0): 1\n" }.joined(), String(repeating: "input: a\n", count: 7_000),
    ] {
      let start = ContinuousClock.now
      let file = ScanFile(path: "scan.yaml", bytes: Array(text.utf8))
      #expect(
        !file.problems.isEmpty && ContinuousClock.now - start < .seconds(30),
        "\(text.prefix(40)): \(ContinuousClock.now - start)")
    }
  }
}
