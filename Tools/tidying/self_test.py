"""Tries the checks on a small package: each has something to find, and nothing is found once that is gone."""
import os
import shutil
import subprocess
import sys

# Nothing may be said of this package, though much in it is used only by the language, the library or a protocol.
_CLEAN = {
  "Package.swift": """// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "fixture",
  targets: [
    .target(name: "Base"),
    .target(name: "Extra"),
    .target(name: "Twin", swiftSettings: [.define("TWIN")]),
    .executableTarget(name: "App", dependencies: ["Base", "Extra", "Twin"]),
    .testTarget(name: "BaseTests", dependencies: ["Base", "App"]),
  ]
)
""",
  "README.md": "[Start](Docs.docc/Start.md)\n",
  "Docs.docc/Start.md": "[Base](../Sources/Base/Base.docc/Base.md)\n",
  "Sources/Base/Base.docc/Base.md": "# Base\n",
  "Sources/Base/Shape.swift": """package protocol Shape {
  var area: Double { get }
}

package struct Square: Shape, Codable, CustomStringConvertible {
  package var edge: Double
  var label = "square"
  package var area: Double { edge * edge }
  package var description: String { "\\(label) of \\(area)" }

  package init(edge: Double) {
    self.edge = edge
  }
}

package enum Colour: String, CaseIterable {
  case red, green
}

enum Answer: Int {
  case no, yes
}

package func answer(_ raw: Int) -> Bool {
  Answer(rawValue: raw) == .yes
}

struct Note {
  var text: String?
}

package func note() -> String {
  let note = Note(text: "a")
  if let text = note.text { return text }
  return "none"
}

package func total(_ shapes: [any Shape]) -> Double {
  shapes.reduce(0) { $0 + $1.area }
}
""",
  # Sources/Twin is a link to this folder.
  "Sources/Extra/Extra.swift": """import Glibc

#if TWIN
  package func twin() -> Int32 { shared() }
#else
  package func extra() -> Int32 { 1 }
#endif

func shared() -> Int32 { getpid() }
""",
  "Sources/App/App.swift": """import Base
import Extra
import Twin

@main
struct App {
  static func main() {
    print(extra(), twin(), note())
    for colour in Colour.allCases {
      print(colour.rawValue, total([Square(edge: 2)]), Square(edge: 1).edge, answer(1))
    }
  }
}
""",
  "Tests/BaseTests/BaseTests.swift": """import Testing

@testable import Base

@Test func area() {
  #expect(Square(edge: 2).area == 4)
}
""",
}


def _long(name, columns, lines):
  """A file with a comment of so many columns and a function of so many lines."""
  comment = "// " + "word " * columns
  return f"{comment[:columns]}\npackage func {name}() -> Int {{\n" + "  print()\n" * (lines - 3) + "  return 1\n}\n"


# What is added to it, and what must be said of that and of nothing else.
_ADDED = {
  "Package.swift": _CLEAN["Package.swift"].replace('["Base", "App"]', '["Base", "App", "Extra"]'),
  "Sources/Base/Dead.swift": """import Glibc

func unused(_ count: Int) {
  if count > 0 {
    unused(count - 1)
    usedByUnused()
  }
}

func usedByUnused() {}

func testsOnly() -> Int { 3 }

package func onlyHere() -> Int { 4 }

package func elsewhere() -> Int { onlyHere() }

enum Side {
  case left, right
}

package func side() -> Bool { Side.left == .left }

struct Pair {
  let read: Int
  let unread: Int
}

package func pair() -> Int { Pair(read: 1, unread: 2).read }
""",
  "Sources/Base/Empty.swift": "// Nothing.\nimport Glibc\n",
  "Sources/Base/Long.swift": _long("long", columns=120, lines=60),
  "Sources/Base/Longer.swift": _long("longer", columns=121, lines=61),
  "Sources/Base/Base.docc/Lost.md": "# Lost\n",
  "Docs.docc/Forgotten.md": f"# Forgotten\n\n{'word ' * 24}word\n",
  "Sources/App/App-more.swift": """import Base

extension App {
  static let more = elsewhere() + long() + longer() + pair() + (side() ? 1 : 0)
}
""",
  "Tests/BaseTests/TestsOnlyTests.swift": """import Testing

@testable import Base

@Test func three() {
  #expect(testsOnly() == 3)
}
""",
  "Tools/orphan.py": "print(1)\n",
  "Tools/tidy.allow": "App.App.more  it shows that entries are heeded\nBase.gone  it was there once\nBase.side\n",
}
_EXPECTED = """\
Docs.docc/Forgotten.md:1: no page links to it
Docs.docc/Forgotten.md:3: 124 columns
Package.swift:11: no file of BaseTests imports its dependency Extra
Sources/Base/Base.docc/Lost.md:1: no page links to it
Sources/Base/Dead.swift:1: nothing in this file is from Glibc
Sources/Base/Dead.swift:3: nothing uses function unused(_:)
Sources/Base/Dead.swift:10: only unused(_:) uses function usedByUnused(), and nothing uses that
Sources/Base/Dead.swift:12: only tests use function testsOnly()
Sources/Base/Dead.swift:14: only Base uses package function onlyHere()
Sources/Base/Dead.swift:19: nothing uses case Side.right
Sources/Base/Dead.swift:26: nothing reads property Pair.unread, it is only set
Sources/Base/Empty.swift:1: nothing but comments and imports
Sources/Base/Empty.swift:2: nothing in this file is from Glibc
Sources/Base/Longer.swift:1: 121 columns
Sources/Base/Longer.swift:2: longer has 61 lines
Tools/orphan.py:1: no other file names it
Tools/tidy.allow:2: Base.gone matches no finding any more
Tools/tidy.allow:3: Base.side has no reason""".split("\n")


def run(tidy):
  """Builds the package twice; says what differs from what must be found. `tidy` is the program to try."""
  folder = os.path.join(os.path.dirname(os.path.dirname(tidy)), ".build", "tidy-self-test")
  shutil.rmtree(folder, ignore_errors=True)
  try:
    for files, expected in ((_CLEAN | _ADDED, _EXPECTED), (_CLEAN, [])):
      found = _findings(tidy, folder, files)
      if not _agree(found, expected):
        return 1
  finally:
    shutil.rmtree(folder, ignore_errors=True)
  print("tidy: the self-test found what it must, and nothing in a clean package")
  return 0


def _findings(tidy, folder, files):
  for path in _CLEAN | _ADDED:
    path = os.path.join(folder, path)
    if os.path.exists(path):
      os.remove(path)
  for path, text in files.items():
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
      file.write(text)
  if not os.path.islink(os.path.join(folder, "Sources", "Twin")):
    os.symlink("Extra", os.path.join(folder, "Sources", "Twin"))
  build = subprocess.run(
    ["swift", "build", "--build-tests", "--package-path", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    text=True)
  if build.returncode:
    raise OSError(f"the self-test's package does not build: {build.stdout}")
  return subprocess.run([sys.executable, tidy, "--root", folder], capture_output=True, text=True)


def _agree(found, expected):
  """Whether each finding begins as expected, and each that is expected is there; says what does not."""
  lines = found.stdout.splitlines()
  missing = [text for text in expected if not any(line.startswith(text) for line in lines)]
  surplus = [line for line in lines if not any(line.startswith(text) for text in expected)]
  for text in missing:
    print(f"tidy: the self-test did not find: {text}", file=sys.stderr)
  for line in surplus:
    print(f"tidy: the self-test found what is not there: {line}", file=sys.stderr)
  if found.stderr:
    print(found.stderr, file=sys.stderr)
  return not missing and not surplus and found.returncode == (1 if expected else 0)
