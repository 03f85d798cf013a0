import Foundation
import ScanPlan
import Testing

@Suite struct ScanFileTests {
  private static func file(_ text: String) -> ScanFile { ScanFile(path: "scan.yaml", bytes: Array(text.utf8)) }

  private static let start = "input: a.h5\noutput-folder: out\n"

  private func problems(_ text: String) -> [String] {
    let file = Self.file(Self.start + text)
    return file.problems.map { file.located($0) }
  }

  @Test func `What init writes has no mistake and every default`() {
    let scan = ScanDescription(input: "a.h5", outputFolder: "out")
    let file = Self.file(ScanFile.template(scan))
    #expect(file.problems.isEmpty && file.scan == scan, "\(file.problems)")
  }

  @Test func `What init writes has every key once, with its words, and says what each is`() {
    let lines = ScanFile.template(.standard).split(separator: "\n")
    for key in ScanKey.all {
      let places = lines.indices.filter { lines[$0].hasPrefix("\(key.name):") || lines[$0].hasPrefix("# \(key.name):") }
      #expect(places.count == 1, "\(key.name)")
      #expect(
        lines[places[0] - 2] == "# \(key.help)" && lines[places[0]].hasPrefix("#") == (key.unset != nil), "\(key.name)")
    }
  }

  @Test func `A description with every key set comes back from its file`() throws {
    let text = ScanKey.all.map { "\($0.name): \(Self.values[$0.name] ?? "missing")\n" }.joined()
    let file = Self.file(text)
    // Some of these contradict each other.
    #expect(
      file.problems.allSatisfy { !$0.text.contains("is not") && !$0.text.contains("outside") }, "\(file.problems)")
    #expect(ScanKey.all.count == Self.values.count, "a new key needs a value here that is not its default")
    let again = Self.file(ScanFile.template(file.scan)).scan
    #expect(again == file.scan)
    for key in ScanKey.all {
      let one = Self.file("\(key.name): \(Self.values[key.name] ?? "")\n").scan
      #expect(one != .standard, "\(key.name) changes nothing")
    }
  }

  /// A value of each key that is not its default.
  private static let values = [
    "input": "a.h5", "rate": "2.5", "minus-log": "no", "i0": "border", "flat-fields": "interpolate",
    "theta-unit": "radians", "rotation-axis": "296.25", "field-of-view": "half", "axis-tilt": "-0.25",
    "start-row": "3", "end-row": "5",
    "nsino": "0.5", "binning": "1", "algorithm": "pml-hybrid", "window-length": "12", "window-step": "4",
    "window-iter": "2", "window-recent": "3", "window-spread": "4", "window-memory": "2.5GiB", "live-binning": "1",
    "final-iterations": "7", "final-subsets": "2", "window-subsets": "3", "initial": "fbp", "reg": "12.5,0.25",
    "filter": "hann",
    "relaxation": "0.5", "non-negative": "true", "disk-mask": "yes", "workers": "2", "threads": "3", "lag-max": "9",
    "bands": "auto", "latency-max": "1.5", "when-slow": "'widen,decimate:4,coarse'", "expect-rate": "120",
    "catch-up": "2",
    "disk-buffer": "1.5",
    "output-folder": "out",
    "order": "interleaved:4", "stop-ssim": "0.95", "stop-patience": "3", "stop-after": "90", "stop-rises": "8",
    "stop-scale": "3", "stop-distance": "12",
    "reference": "b.h5",
    "run-folder": "run", "format": "tiff", "bits": "16", "range": "0,0.5",
    "subset": "5:95", "volume-every": "half-turn", "zarr-version": "0.4", "compress": "true",
    "durability": "memory", "mirror": "/mirror", "parity": "2+1@/a,/b,/c", "scrub": "90", "checkpoint-every": "30",
    "retain": "none",
    "shape": "4,48", "pixel": "uint8", "projections": "60", "flats": "3", "darks": "2", "fields": "fields.h5",
    "theta-start": "-90",
    "theta-step": "0.5", "first-frame": "1", "channel": "threshold_2",
    "on-gap": "program:/fill", "gap-wait": "2", "source-timeout": "5",
    "stop-hook": "http+put://detector/stop",
    "denoise": "nlm:0.5", "stripe-removal": "vo", "zingers": "0.75",
    "paganin": "'energy=20,distance=100,pixel=0.65,delta-beta=500'",
    "log-level": "warning",
    "final": "auto", "preset": "detail", "precision": "fixed", "weight": "0.5x", "tv-dimensions": "3",
    "inner-steps": "3",
    "momentum-max": "0.8",
    "relaxed-sweeps": "1", "doubled-sweeps": "2", "huber": "0.03", "count-weights": "yes", "padding": "12",
    "entry": "entry0001", "data-path": "/a/b", "image-key-path": "/a/c", "theta-path": "/a/d", "strict": "yes",
    "fabric": "tls://edge:4222", "granule": "32", "local-rows": "0:64", "granules": "1:3", "node-name": "beam-3",
    "edge-patience": "30", "uplink": "compress", "uplink-preview": "true",
    "nodes": "3", "gather": "none", "parts-patience": "60",
    "fabric-credentials": "edge.nk", "fabric-authority": "ca.pem",
    "flips": "left-right", "pixel-size": "0.0065", "energy": "20", "sample": "wood",
    "stage": "name=pores,program=/opt/pores,writes=labels:u8 name=last,program=/opt/last,every=final,reads=pores",
    "events": "kafka://broker:9092/lab diaspora+https://events.lab.org/v3/lab", "events-config": "events.properties",
    "events-patience": "30", "accept-commands": "lab.commands",
    "view": "'pairs,from=projections,with=updates,match=window axis,from=projections,match=theta:180±0.1'",
    "trigger": "'none slow,watch=rate,model=threshold:<5,then=notify'",
  ]

  @Test(arguments: ScanKey.all.map(\.name)) func `A wrong value of any key is told with its line and what it may be`(
    name: String
  ) throws {
    let key = try #require(ScanKey.named(name))
    let values =
      ["[1, 2]", "{a: b}", "*nothing", "\"\u{1}\""] + (name == "sample" ? ["''"] : [])
      + (key.form == "text" || name == "sample" || key.form.hasPrefix("the ") ? [] : ["wrong", "''"])
    for value in values {
      let others = ["input: a.h5", "output-folder: out"].filter { !$0.hasPrefix(name + ":") }
      let file = Self.file((["# a comment", ""] + others + ["\(name): \(value)"]).joined(separator: "\n") + "\n")
      if value == "\"\u{1}\"" || value == "*nothing" {
        #expect(file.problems.count == 1 && file.problems[0].text.contains("not YAML"), "\(file.problems)")
        continue
      }
      #expect(file.problems.count == 1 && file.problems[0].line == others.count + 3, "\(value): \(file.problems)")
      #expect(
        file.problems.first?.text.hasPrefix("\(name) ") == true && file.problems.first?.text.contains(key.form) == true)
    }
  }

  private static let mistakes = [
    ("widow-length: 12", "scan.yaml:3: there is no key \"widow-length\"; did you mean window-length?"),
    ("Window_Length: 12", "scan.yaml:3: there is no key \"Window_Length\"; did you mean window-length?"),
    ("photon-flux: 12", "scan.yaml:3: there is no key \"photon-flux\"; slipring init lists all of them"),
    ("\n\nwindow-length: 0", "scan.yaml:5: window-length 0 is outside 1…1000000"),
    ("window-length: many", "scan.yaml:3: window-length \"many\" is not a whole number from 1 to 1000000"),
    ("window-length: 12.5", "scan.yaml:3: window-length \"12.5\" is not a whole number from 1 to 1000000"),
    (
      "window-iter:", "scan.yaml:3: window-iter has no value; it is a whole number from 1 to 1000000, by default 1"
    ),
    (
      "algorithm: art",
      "scan.yaml:3: algorithm \"art\" is not auto, sirt, mlem, osem, pml-quad, pml-hybrid, fbp or cgls"
    ),
    (
      "window-length: 4\nwindow-step: 5",
      "scan.yaml:4: window-step 5 exceeds window-length 4: projections between two windows would never be used"
    ),
    ("window-length: 4\nwindow-length: 5", "scan.yaml:3: the key window-length is there more than once"),
    (
      "a: [1",
      "scan.yaml:4: this is not YAML: while parsing a flow sequence of line 3, did not find expected ',' or ']'"
    ),
    (
      "\ttab: 1",
      "scan.yaml:3: this is not YAML: while scanning a plain scalar of line 2, "
        + "found a tab character that violates indentation"
    ),
    (
      "trigger:\n  - slow,watch=rate,model=cusum:5\n  - fast,watch=speed,model=cusum:5",
      "scan.yaml:5: trigger \"fast,watch=speed,model=cusum:5\" is not \(TriggerRecords.form): "
        + "fast,watch=speed,model=cusum:5: watch is not one of intensity, dead-rows, rate, lag, update-seconds, "
        + "buffered, spilled, disk-free, disk-spare, missing, faults, dead-pixels, corrected-pixels, residual, "
        + "similarity, restarts, cpu-pressure, io-pressure, memory-pressure, socket-drops, disk-full, step, "
        + "worker-spread, workload"
    ),
    ("? [a, b]\n: c", "scan.yaml:3: there is no key \"?\"; slipring init lists all of them"),
  ]

  @Test func `Each mistake is one clear line`() {
    for (text, line) in Self.mistakes { #expect(problems(text + "\n") == [line], "\(text)") }
  }

  @Test func `An empty list of records has none, and a list of stages is as their words`() {
    func scan(_ text: String) -> ScanDescription { Self.file(Self.start + text).scan }
    for text in ["trigger: []\n", "view: []\n", "stage: []\n", "trigger: [none]\n"] {
      #expect(problems(text) == [], "\(text)")
    }
    // Nothing at all is watched, which is less than where nothing is said.
    #expect(scan("trigger: []\n").trigger?.scanText == "none" && scan("trigger:\n").trigger == nil)
    #expect(scan("view: []\n").view == nil && scan("stage: []\n").stage == nil)
    #expect(scan("stage: [denoise, segment]\n").stage?.scanText == scan("stage: denoise segment\n").stage?.scanText)
    #expect(scan("stage: [denoise]\n").stage != nil)
    #expect(problems("trigger: [none, none]\n").first?.hasSuffix("none is there twice") == true)
    #expect(problems("window-length: []\n").count == 1)
  }

  @Test(arguments: ["update-seconds", "workload", "residual", "similarity"])
  func `A trigger does not wait for updates that it holds back`(gauge: String) {
    let record = "slow,watch=\(gauge),model=threshold:>1,then="
    #expect(problems("trigger: [\"\(record)widen\"]\n") == [])
    let lines = problems("trigger: [\"\(record)notify+pause-windows\"]\n")
    #expect(lines.count == 1 && lines[0].contains("has slow, whose alarm would never end"), "\(lines)")
  }

  @Test(arguments: [
    "when-slow: 'decimate:+4'", "when-slow: 'decimate:04'", "when-slow: 'decimate:4 '", "parity: '+1+1@/a,/b'",
    "parity: '1+01@/a,/b'", "order: 'interleaved:+4'", "order: 'interleaved:04'", "shape: '+64,64'", "shape: '64,064'",
  ])
  func `A number inside of a word has digits only`(text: String) {
    let key = String(text.prefix { $0 != ":" })
    #expect(problems(text + "\n").first?.hasPrefix("scan.yaml:3: \(key) ") == true, "\(problems(text))")
  }

  @Test func `All mistakes are told, from top to bottom`() {
    let lines = problems("threads: 0\nwidow-length: 3\nbits: 12\nfilter: hann\nwindow-step: 30\n")
    #expect(lines.map { $0.split(separator: ":")[1] } == ["3", "4", "5", "6", "7"], "\(lines)")
  }

  @Test func `A file without input and output says that they are missing`() {
    for text in ["", "# nothing\n", "---\n", "~"] where text != "~" {
      let file = Self.file(text)
      #expect(
        file.problems.map { file.located($0) } == [
          "scan.yaml: input is missing; name the scan file",
          "scan.yaml: output-folder is missing; name a folder, . for the present one",
        ], "\(file.problems)")
    }
  }

  @Test func `Text in one line, lists and other bytes are no scan file`() {
    #expect(Self.file("hello").problems.map(\.line) == [1])
    #expect(Self.file("- a\n- b\n").problems.map(\.line) == [1])
    let bytes = ScanFile(path: "scan.yaml", bytes: Array("input: a\n".utf8) + [0xFF, 0x00])
    #expect(bytes.problems == [ScanFile.Problem(line: 2, text: "this is not text in UTF-8")])
  }

  @Test func `An unset key may stand without a value, and words may be quoted`() {
    let file = Self.file("input: 'a b.h5'\noutput-folder: \"out\"\nworkers:\nrate: ~\nminus-log: no\n\"bits\": '16'\n")
    #expect(file.problems.isEmpty, "\(file.problems)")
    #expect(
      file.scan.input == "a b.h5" && file.scan.workers == nil && file.scan.minusLog == .no && file.scan.bits == .sixteen
    )
  }

  @Test(arguments: [
    "a b", "", "~", "null", "'", "\"", "\\", "a: b", "#x", "a #x", "- a", "é", "\n", "\u{7}", "@", "100%", "watch:",
    "zmq+pull://h:1", "*a",
    "&a", "{", "[", "!t", "|", ">", "yes", "1e3", "\u{2028}",
  ])
  func `Any path survives the way through a scan file`(path: String) {
    let scan = ScanDescription(input: path, outputFolder: "out" + path)
    #expect(Self.file(ScanFile.template(scan)).scan == scan, "\(ScanFile.template(scan).prefix(600))")
  }

  @Test func `The nearest key has the fewest slips`() {
    for (word, name) in [
      ("treads", "threads"), ("thread", "threads"), ("centre", nil), ("outputfolder", "output-folder"),
      ("lagmax", "lag-max"),
    ] {
      let text = problems("\(word): 1\n")[0]
      #expect(name.map { text.contains("did you mean \($0)?") } ?? text.contains("slipring init"), "\(text)")
    }
  }

  @Test func `Every key is on a page`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let names = try ["README.md", "Docs.docc", "Sources"].flatMap { name in
      let path = root.appending(path: name).path
      return name.hasSuffix(".md")
        ? [path] : try FileManager.default.subpathsOfDirectory(atPath: path).map { "\(path)/\($0)" }
    }
    let pages = try names.filter { $0.hasSuffix(".md") }.map { try String(contentsOfFile: $0, encoding: .utf8) }
    try #require(pages.count > 20)
    let words = Set(pages.joined(separator: "\n").split { !($0.isLetter || $0.isNumber || $0 == "-") }.map(String.init))
    let missing = ScanKey.all.map(\.name).filter { !words.contains("--" + $0) && !words.contains($0) }
    #expect(missing.isEmpty, "\(missing)")
  }
}
