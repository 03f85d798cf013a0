// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: no implicit imports or existentials, and a warning is an error.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// Targets on the path of a projection are optimised in debug builds too, so that the tests run at a useful speed.
let fast: [SwiftSetting] = strict + [.unsafeFlags(["-O"])]

/// The kernels for one x86-64 level. There is one source, the folder Kernels; KernelsAVX2 and KernelsSSE42 are links to
/// it, so that it is compiled for each level and chosen at run time. Whole modules in debug builds too, so that their
/// generic code is specialised.
func kernels(_ name: String, level: Int, _ extra: [SwiftSetting] = []) -> Target {
  .target(
    name: name, dependencies: ["CVector", "KernelTypes"],
    swiftSettings: strict + extra + [
      .unsafeFlags([
        "-Ounchecked", "-wmo", "-num-threads", "1", "-disable-batch-mode", "-Xcc", "-march=x86-64-v\(level)",
      ])
    ])
}

let package = Package(
  name: "slipring",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // C: one folder a system library, and what Slipring calls of Linux.
    .systemLibrary(
      name: "CHDF5", path: "Sources/C/CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CTIFF", path: "Sources/C/CTIFF", pkgConfig: "libtiff-4", providers: [.apt(["libtiff-dev"])]),
    .systemLibrary(name: "CPNG", path: "Sources/C/CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    // Without pkg-config, whose definitions the package manager refuses; the header's own are the same.
    .systemLibrary(name: "CKissFFT", path: "Sources/C/CKissFFT", providers: [.apt(["libkissfft-dev"])]),
    .systemLibrary(name: "CVector", path: "Sources/C/CVector"),
    // The header alone; Tools/pvaccess compiles what it describes, for those who have EPICS.
    .systemLibrary(name: "CPVAccess", path: "Sources/C/CPVAccess"),
    // Without pkg-config, whose flags name folders of other libraries.
    .systemLibrary(name: "CZMQ", path: "Sources/C/CZMQ", providers: [.apt(["libzmq3-dev"])]),
    // Without pkg-config, whose flags are those of CSSL and CCrypto.
    .systemLibrary(name: "CNATS", path: "Sources/C/CNATS", providers: [.apt(["libnats-dev"])]),
    .systemLibrary(
      name: "CCurl", path: "Sources/C/CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    // The header alone; the library is loaded where a run sends events to Kafka.
    .systemLibrary(name: "CKafka", path: "Sources/C/CKafka", providers: [.apt(["librdkafka-dev"])]),
    .systemLibrary(name: "CLZ4", path: "Sources/C/CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CZstd", path: "Sources/C/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CISAL", path: "Sources/C/CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    // Without pkg-config, whose flags are those of CCrypto.
    .systemLibrary(name: "CSSL", path: "Sources/C/CSSL", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(
      name: "CCrypto", path: "Sources/C/CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "CLinux", path: "Sources/C/CLinux", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("uring"), .linkedLibrary("numa")]),

    .target(name: "Alarms", dependencies: ["Host"], swiftSettings: strict),
    .target(name: "Host", dependencies: ["CCrypto", "CLinux"], swiftSettings: strict),
    .target(name: "KernelTypes", swiftSettings: fast),
    kernels("KernelsSSE42", level: 2, [.define("WITHOUT_FMA"), .define("WITHOUT_AVX512")]),
    kernels("KernelsAVX2", level: 3, [.define("WITHOUT_AVX512")]),
    kernels("Kernels", level: 4),
    .target(
      name: "Tomography",
      dependencies: [
        "CKissFFT", "CVector", "Host", "KernelTypes", "Kernels", "KernelsAVX2", "KernelsSSE42",
      ], swiftSettings: fast),
    .target(name: "Rings", dependencies: ["CLinux", "Host"], swiftSettings: fast),
    .target(name: "Journal", dependencies: ["CISAL", "CLinux", "Host", "Rings"], swiftSettings: fast),
    .target(name: "Events", dependencies: ["CCurl", "CKafka", "Host"], swiftSettings: strict),
    .target(name: "Topics", dependencies: ["Host", "Journal", "Rings"], swiftSettings: strict),
    .target(
      name: "RunModel", dependencies: ["Alarms", "CLinux", "Host", "KernelTypes", "Rings"], swiftSettings: strict),
    .target(name: "ScanFiles", dependencies: ["CHDF5", "CPNG", "CTIFF", "CZstd", "Host"], swiftSettings: strict),
    .target(name: "Packing", dependencies: ["CLZ4"], swiftSettings: fast),
    .target(
      name: "Fabric", dependencies: ["CCrypto", "CLinux", "CNATS", "Host", "Packing", "Rings", "RunModel"],
      swiftSettings: fast),
    .target(
      name: "Detectors",
      dependencies: [
        "CCurl", "CPVAccess", "CZMQ", "Fabric", "Host", "Packing", "Rings", "RunModel", "ScanFiles", "Tomography",
      ],
      swiftSettings: fast),
    .target(
      name: "Spools", dependencies: ["Detectors", "Host", "Journal", "Rings", "RunModel", "Topics"],
      swiftSettings: strict),
    .target(
      name: "Stages",
      dependencies: [
        "Alarms", "Detectors", "Fabric", "Host", "KernelTypes", "Rings", "RunModel", "ScanFiles", "Tomography",
        "Topics",
        .product(name: "Histogram", package: "hdrhistogram-swift"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: strict),
    .target(
      name: "ScanPlan",
      dependencies: [
        "Alarms", "Detectors", "Events", "Fabric", "Host", "Journal", "KernelTypes", "Rings", "RunModel", "ScanFiles",
        "Spools", "Stages", "Tomography", .product(name: "Yams", package: "Yams"),
      ], swiftSettings: strict),
    .target(
      name: "Run",
      dependencies: [
        "Alarms", "Detectors", "Events", "Fabric", "Host", "Journal", "KernelTypes", "Rings", "RunModel", "ScanFiles",
        "ScanPlan", "Stages", "Tomography", "Topics", .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: strict),
    .target(
      name: "Simulation",
      dependencies: ["Detectors", "Host", "ScanFiles", "ScanPlan", "Tomography"], swiftSettings: strict),
    .target(
      name: "Rehearsal",
      dependencies: [
        "Host", "Run", "RunModel", "ScanPlan", "Simulation", "Stages", .product(name: "Yams", package: "Yams"),
      ], swiftSettings: strict),
    .target(name: "Viewing", dependencies: ["Host", "KernelTypes", "ScanFiles"], swiftSettings: fast),
    .target(
      name: "Dashboard",
      dependencies: [
        "CSSL", "Host", "KernelTypes", "Run", "RunModel", "ScanFiles", "ScanPlan", "Serve", "Stages", "Tomography",
        "Viewing",
      ],
      resources: [
        "page.html", "page.css", "page.js", "scans.html", "scan.html", "scans.css", "scans.js", "openapi.json",
        "viewer.html", "viewer.css", "viewer.js", "viewer-pane.js", "viewer-tiles.js", "viewer-histogram.js",
        "images.js", "images.css", "viewer-volume.js", "viewer-shaders.js", "viewer-save.js",
      ].map { .embedInCode("Web/\($0)") }, swiftSettings: strict),
    .target(
      name: "Variables", dependencies: ["Detectors", "KernelTypes", "Run", "RunModel", "ScanPlan", "Serve"],
      swiftSettings: strict),
    .target(
      name: "Serve",
      dependencies: [
        "Detectors", "Host", "Run", "RunModel", "ScanFiles", "ScanPlan", "Spools", "Tomography",
        .product(name: "Yams", package: "Yams"),
      ], swiftSettings: strict),
    .target(
      name: "Nodes", dependencies: ["Fabric", "Host", "Rings", "Run", "RunModel", "ScanPlan"], swiftSettings: strict),
    .target(
      name: "Benchmarks",
      dependencies: [
        "Alarms", "CLinux", "Host", "KernelTypes", "Rings", "Run", "RunModel", "ScanPlan", "Simulation", "Tomography",
        "Topics", .product(name: "Histogram", package: "hdrhistogram-swift"),
      ], swiftSettings: fast),
    .executableTarget(
      name: "slipring",
      dependencies: [
        "Benchmarks", "Dashboard", "Detectors", "Events", "Host", "Journal", "KernelTypes", "Nodes", "Rehearsal", "Run",
        "RunModel", "ScanFiles", "ScanPlan", "Serve", "Simulation", "Spools", "Stages", "Tomography", "Variables",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "chaos",
      dependencies: [
        "Host", "Journal", "Run", "RunModel", "ScanFiles", "ScanPlan", "Simulation",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .executableTarget(
      name: "RingExerciser", dependencies: ["Host", "Rings"], path: "Tests/RingExerciser", swiftSettings: fast),
    .executableTarget(
      name: "JournalExerciser", dependencies: ["CLinux", "Host", "Rings", "Journal"], path: "Tests/JournalExerciser",
      swiftSettings: fast),
    .executableTarget(
      name: "Confined", path: "Tests/Confined", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])]),
    .executableTarget(
      name: "ExportExerciser", dependencies: ["ScanFiles"], path: "Tests/ExportExerciser", swiftSettings: strict),
    .executableTarget(
      name: "UpdateProbe", dependencies: ["Rings", "RunModel"], path: "Tests/UpdateProbe", swiftSettings: strict),
    .target(name: "TestSupport", dependencies: ["Host"], path: "Tests/TestSupport", swiftSettings: strict),
    .target(
      name: "PhantomSupport", dependencies: ["Simulation"], path: "Tests/PhantomSupport", swiftSettings: strict),
    .testTarget(name: "AlarmsTests", dependencies: ["Alarms", "Host"], swiftSettings: strict),
    .testTarget(name: "HostTests", dependencies: ["CLinux", "Host", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "RingsTests", dependencies: ["Host", "RingExerciser", "Rings"], swiftSettings: strict),
    .testTarget(
      name: "JournalTests", dependencies: ["CLinux", "Host", "Journal", "JournalExerciser", "Rings"],
      swiftSettings: fast),
    .testTarget(name: "PackingTests", dependencies: ["Host", "Packing"], swiftSettings: strict),
    .testTarget(
      name: "FabricTests", dependencies: ["Fabric", "Host", "Rehearsal", "Rings", "RunModel", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TopicsTests", dependencies: ["Host", "Journal", "Rings", "RunModel", "TestSupport", "Topics"],
      swiftSettings: strict),
    .testTarget(
      name: "RunModelTests",
      dependencies: ["Alarms", "CLinux", "Host", "KernelTypes", "Rings", "RunModel", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TomographyTests", dependencies: ["Host", "KernelTypes", "PhantomSupport", "Simulation", "Tomography"],
      swiftSettings: strict),
    .testTarget(
      name: "ScanFilesTests",
      dependencies: [
        "CHDF5", "CPNG", "CTIFF", "CZstd", "Confined", "ExportExerciser", "Host", "ScanFiles", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "DetectorsTests",
      dependencies: ["CPVAccess", "Detectors", "Host", "Rings", "RunModel", "ScanFiles", "TestSupport"],
      swiftSettings: strict),
    .testTarget(name: "EventsTests", dependencies: ["CKafka", "Events", "Host", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "SpoolsTests", dependencies: ["Detectors", "Host", "Rings", "RunModel", "Spools"], swiftSettings: strict),
    .testTarget(
      name: "NodesTests", dependencies: ["Fabric", "Nodes", "Rings", "Run", "RunModel"], swiftSettings: strict),
    .testTarget(
      name: "ServeTests", dependencies: ["Detectors", "Serve", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "StagesTests",
      dependencies: [
        "Alarms", "Detectors", "Fabric", "Host", "KernelTypes", "Rings", "RunModel", "ScanFiles", "Stages",
        "TestSupport",
        "Tomography",
        "Topics",
      ], swiftSettings: strict),
    .testTarget(
      name: "ScanPlanTests",
      dependencies: ["Fabric", "Host", "KernelTypes", "Rings", "ScanPlan", "Stages", "Tomography"],
      swiftSettings: strict),
    .testTarget(
      name: "RunTests", dependencies: ["Host", "Rings", "Run", "RunModel", "ScanPlan", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "SimulationTests", dependencies: ["Host", "PhantomSupport", "Simulation", "Tomography"],
      swiftSettings: strict),
    .testTarget(
      name: "RehearsalTests", dependencies: ["Host", "Rehearsal", "RunModel", "ScanPlan"], swiftSettings: strict),
    .testTarget(
      name: "ViewingTests", dependencies: ["Host", "KernelTypes", "ScanFiles", "Viewing"], swiftSettings: strict),
    .testTarget(
      name: "DashboardTests",
      dependencies: [
        "Dashboard", "Host", "KernelTypes", "Run", "RunModel", "ScanPlan", "Serve", "TestSupport", "Viewing",
      ], swiftSettings: strict),
    .testTarget(
      name: "SlipringTests", dependencies: ["CPNG", "ScanFiles", "TestSupport", "slipring"], swiftSettings: strict),
    .testTarget(
      name: "BenchmarksTests", dependencies: ["Benchmarks", "Host", "ScanPlan", "Simulation", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "PipelineTests",
      dependencies: [
        "Alarms", "Benchmarks", "Confined", "Detectors", "Events", "Fabric", "Host", "Journal", "Rehearsal", "Rings",
        "Run", "RunModel",
        "ScanFiles",
        "ScanPlan", "Serve", "Simulation", "Stages", "TestSupport", "Tomography", "UpdateProbe", "chaos", "slipring",
      ],
      exclude: ["Browser"], swiftSettings: strict),
  ]
)
