// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

// Failpoints, for tests, do nothing unless GROUNDWELL_FAILPOINT is set; 'make install' builds
// without them.
let hasFailpoints = Context.environment["GROUNDWELL_FAILPOINTS"] != "0"
let failpoints: [SwiftSetting] = hasFailpoints ? [.define("GROUNDWELL_FAILPOINTS")] : []

let package = Package(
  name: "groundwell",
  products: [
    .executable(name: "groundwelld", targets: ["Daemon"]),
    .executable(name: "groundwell", targets: ["Client"]),
    .executable(name: "groundwell-generator", targets: ["Generator"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: [
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .target(name: "CSocket"),
    .target(name: "CDisk"),
    .target(name: "CKernels"),
    .target(name: "CCodec", dependencies: ["CLZ4"]),
    .target(
      name: "Schema", path: "schema",
      exclude: ["README.md", "pack/README.md", "wire/golden", "wire/openrpc.json", "plan/golden"],
      resources: [
        .embedInCode("catalog/catalog_v1.sql"), .embedInCode("catalog/catalog_v2.sql"),
        .embedInCode("catalog/catalog_v3.sql"), .embedInCode("catalog/splits.json"),
      ], swiftSettings: strict),
    .target(name: "Wire", dependencies: ["Schema", "CSocket"], swiftSettings: strict),
    .target(name: "Imaging", dependencies: ["Schema", "CPNG"], swiftSettings: strict),
    .target(name: "Formats", dependencies: ["Schema", "Imaging"], swiftSettings: strict),
    .target(
      name: "Store",
      dependencies: [
        "Schema", "CCodec", "CDisk", "CLZ4", "CXXHash",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ],
      swiftSettings: strict + failpoints),
    .executableTarget(
      name: "Generator",
      dependencies: [
        "Schema", "Wire", "Imaging", "Formats", "COpenBLAS", "CKernels",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      resources: [
        .copy("Resources/sprites"), .copy("Resources/stickers"), .copy("Resources/splits"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "Daemon",
      dependencies: [
        "Schema", "Wire", "Store", "Imaging", "CSocket",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "Client",
      dependencies: [
        "Schema", "Wire", "Imaging", "Formats",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "DrawBenchmark", dependencies: ["Schema", "Store"], path: "Benchmarks/draw",
      swiftSettings: strict),
    .target(
      name: "FuzzProbes", dependencies: ["Formats", "Imaging", "Schema", "Store"],
      path: "Benchmarks/fuzz/probes", swiftSettings: strict),
    .executableTarget(
      name: "FuzzBenchmark", dependencies: ["FuzzProbes"], path: "Benchmarks/fuzz/run",
      swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["Schema", "Wire"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "SchemaTests", dependencies: ["Schema", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "WireTests", dependencies: ["Wire", "Schema", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "ImagingTests", dependencies: ["Imaging", "Schema", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "StoreTests",
      dependencies: [
        "Store", "Schema", "CCodec", "TestSupport", .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ],
      swiftSettings: strict + failpoints),
    .testTarget(
      name: "FormatsTests",
      dependencies: ["Formats", "FuzzProbes", "Schema", "Imaging", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "GeneratorTests",
      dependencies: ["Generator", "Schema", "Wire", "Imaging", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "DaemonTests",
      dependencies: ["Daemon", "Store", "Schema", "Wire", "Imaging", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ClientTests",
      dependencies: ["Client", "Formats", "Schema", "Wire", "Imaging", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "Schema", "Wire", "Imaging", "TestSupport", "Daemon", "Client", "Generator",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
  ]
)
