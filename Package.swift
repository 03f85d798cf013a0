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

/// The projector kernels: one source (KernelsV4), compiled once for each x86-64 level and chosen at run time. Whole modules in debug builds
/// too, so that their generic code is specialised.
func kernels(_ level: Int, _ extra: [SwiftSetting] = []) -> Target {
  .target(
    name: "KernelsV\(level)", dependencies: ["CLinux", "CVector", "KernelTypes"],
    swiftSettings: strict + extra + [
      .unsafeFlags(["-Ounchecked", "-wmo", "-num-threads", "1", "-disable-batch-mode", "-Xcc", "-march=x86-64-v\(level)"])
    ])
}

/// What solvers do to each bin or voxel: one source (PointwiseV4), compiled and chosen like the kernels.
func pointwise(_ level: Int) -> Target {
  .target(
    name: "PointwiseV\(level)", dependencies: ["CVector", "KernelTypes", "PointwiseTypes"],
    swiftSettings: strict + [
      .unsafeFlags(["-Ounchecked", "-wmo", "-num-threads", "1", "-disable-batch-mode", "-Xcc", "-march=x86-64-v\(level)"])
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
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CTIFF", pkgConfig: "libtiff-4", providers: [.apt(["libtiff-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    // Without pkg-config, whose definitions the package manager refuses; the header's own are the same.
    .systemLibrary(name: "CKissFFT", providers: [.apt(["libkissfft-dev"])]),
    .systemLibrary(name: "CVector"),
    // The header alone; Tools/pvaccess compiles what it describes, for those who have EPICS.
    .systemLibrary(name: "CPVAccess"),
    // Without pkg-config, whose flags name folders of other libraries.
    .systemLibrary(name: "CZMQ", providers: [.apt(["libzmq3-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "CLinux", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("uring"), .linkedLibrary("numa")]),

    .target(name: "Host", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "KernelTypes", swiftSettings: fast),
    kernels(2, [.define("WITHOUT_FMA"), .define("WITHOUT_AVX512")]),
    kernels(3, [.define("WITHOUT_AVX512")]),
    kernels(4),
    .target(name: "PointwiseTypes", dependencies: ["KernelTypes"], swiftSettings: fast),
    pointwise(2),
    pointwise(3),
    pointwise(4),
    .target(
      name: "Tomography",
      dependencies: [
        "CKissFFT", "CLinux", "KernelTypes", "KernelsV2", "KernelsV3", "KernelsV4", "PointwiseTypes", "PointwiseV2", "PointwiseV3",
        "PointwiseV4",
      ], swiftSettings: fast),
    .target(name: "Rings", dependencies: ["CLinux", "Host"], swiftSettings: fast),
    .target(name: "Journal", dependencies: ["CLinux", "Host", "Rings"], swiftSettings: fast),
    .target(name: "ScanFiles", dependencies: ["Host", "CHDF5", "CTIFF", "CPNG", "CCrypto"], swiftSettings: strict),
    .target(name: "Streams", dependencies: ["CCurl", "CLZ4", "CPVAccess", "CZMQ", "Host", "ScanFiles"], swiftSettings: fast),
    .target(
      name: "Topics", dependencies: ["CLinux", "Host", "Rings", "Journal", "ScanFiles", "Streams", "Tomography"], swiftSettings: strict),
    .target(name: "Stages", dependencies: ["Host", "Tomography", "Rings", "ScanFiles", "Streams", "Topics"], swiftSettings: strict),
    .target(
      name: "Scan",
      dependencies: [
        "Host", "Tomography", "Rings", "Journal", "ScanFiles", "Streams", "Topics", "Stages",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Yams", package: "Yams"),
      ], swiftSettings: strict),
    .target(
      name: "Dashboard", dependencies: ["Host", "Tomography", "ScanFiles", "Topics", "Scan"],
      resources: ["page.html", "page.css", "page.js"].map { .embedInCode("Web/\($0)") }, swiftSettings: strict),
    .target(
      name: "Benchmarks",
      dependencies: [
        "CLinux", "Host", "Rings", "Topics", "Tomography", "Stages", "Scan", .product(name: "Histogram", package: "hdrhistogram-swift"),
      ], swiftSettings: fast),
    .executableTarget(
      name: "slipring",
      dependencies: [
        "Host", "Tomography", "Journal", "ScanFiles", "Streams", "Stages", "Scan", "Dashboard", "Benchmarks",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "chaos",
      dependencies: [
        "Host", "Journal", "Scan", "ScanFiles", "TestSupport", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .executableTarget(name: "RingExerciser", dependencies: ["Host", "Rings"], path: "Tests/RingExerciser", swiftSettings: fast),
    .executableTarget(
      name: "JournalExerciser", dependencies: ["CLinux", "Host", "Rings", "Journal"], path: "Tests/JournalExerciser", swiftSettings: fast),
    .executableTarget(name: "Confined", path: "Tests/Confined", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])]),
    .executableTarget(name: "ExportExerciser", dependencies: ["ScanFiles"], path: "Tests/ExportExerciser", swiftSettings: strict),
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(name: "HostTests", dependencies: ["Host", "CLinux", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "RingsTests", dependencies: ["Rings", "Host", "RingExerciser", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "JournalTests", dependencies: ["CLinux", "Host", "Rings", "Journal", "JournalExerciser"], swiftSettings: fast),
    .testTarget(name: "TomographyTests", dependencies: ["Tomography"], swiftSettings: strict),
    .testTarget(
      name: "ScanFilesTests",
      dependencies: ["Host", "ScanFiles", "CHDF5", "CTIFF", "CPNG", "TestSupport", "Confined", "ExportExerciser"], swiftSettings: strict),
    .testTarget(name: "StreamsTests", dependencies: ["CPVAccess", "ScanFiles", "Streams", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "TopicsTests", dependencies: ["CLinux", "Host", "Journal", "Rings", "ScanFiles", "Tomography", "Topics", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "StagesTests", dependencies: ["Host", "Rings", "ScanFiles", "Streams", "Tomography", "Topics", "Stages", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ScanTests", dependencies: ["Host", "Tomography", "Scan"], swiftSettings: strict),
    .testTarget(
      name: "DashboardTests",
      dependencies: ["Host", "Rings", "ScanFiles", "Scan", "Tomography", "Topics", "Dashboard", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "BenchmarksTests", dependencies: ["Host", "Scan", "Benchmarks", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "PipelineTests",
      dependencies: [
        "Host", "Rings", "Journal", "Topics", "Tomography", "ScanFiles", "Streams", "Scan", "Benchmarks", "TestSupport", "slipring",
        "chaos",
        "Confined",
      ],
      exclude: ["Browser"], swiftSettings: strict),
  ]
)
