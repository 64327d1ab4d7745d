// swift-tools-version: 6.2
import PackageDescription

/// Every target is built with these. `strictMemorySafety` makes each unsafe use spell `unsafe`, so
/// `grep -rn unsafe Sources` is the list to audit.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// The numeric targets are optimised in debug builds too: unoptimised loops are about fifty times slower,
/// which would put the golden tests out of reach of a plain `swift test`.
let numeric: [SwiftSetting] = strict + [.unsafeFlags(["-O"])]

/// The kernels are one folder of sources compiled once per instruction set, and chosen at run time; the folders
/// beside `Sources/Kernels` are symbolic links to it. Whole modules: the inner loops are inlined across files.
let kernels: [SwiftSetting] = strict + [.unsafeFlags(["-O", "-wmo", "-num-threads", "2", "-disable-batch-mode"])]
#if arch(x86_64)
  let instructionSets = [
    ("KernelsAVX2", ["-march=x86-64-v3"]), ("KernelsAVX512", ["-march=x86-64-v4"]),
    ("KernelsAVX512VNNI", ["-march=x86-64-v4", "-mavx512vnni"]),
  ]
#else
  let instructionSets: [(String, [String])] = []
#endif
let kernelSets: [Target] = instructionSets.map { name, flags in
  .target(
    name: name, dependencies: ["CProcessor", "KernelInterface"],
    swiftSettings: kernels + [.unsafeFlags(flags.flatMap { ["-Xcc", $0] })])
}

func test(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)", resources: resources,
    swiftSettings: strict)
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
/// A server over HTTP, with the vocabulary that its interfaces speak.
let hummingbird: [Target.Dependency] = [
  .product(name: "Hummingbird", package: "hummingbird"), .product(name: "HTTPTypes", package: "swift-http-types"),
  .product(name: "NIOCore", package: "swift-nio"),
]

/// The files of the dashboard's page, served as they are.
let page = [
  "index.html", "style.css", "main.js", "elements.js", "format.js", "server.js", "actions.js", "overview.js",
  "chart.js",
  "jobs.js", "job.js", "gallery.js",
]

let package = Package(
  name: "tintype",
  products: [
    .executable(name: "tintype", targets: ["tintype"]),
    .library(name: "Diffusion", targets: ["Diffusion"]),
    // What the chaos tests preload into a worker; nothing links it.
    .library(name: "tintype-faults", type: .dynamic, targets: ["CFaults"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.9.0"),
    // Without its traits: its own configuration from files would compile a second way to say what flags and variables say.
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    // libpng and libjpeg report errors by longjmp, which must never cross a Swift frame: a C shim each.
    .target(name: "CLibPNG", linkerSettings: [.linkedLibrary("png16"), .linkedLibrary("z")]),
    .target(name: "CLibJPEG", linkerSettings: [.linkedLibrary("jpeg")]),

    // The numeric core.
    .target(name: "CProcessor"),
    .target(name: "KernelInterface", swiftSettings: strict),
    .target(
      name: "KernelsBaseline", dependencies: ["CProcessor", "KernelInterface"], path: "Sources/Kernels",
      swiftSettings: kernels),
    .target(
      name: "Tensors",
      dependencies: ["CProcessor", "KernelInterface", "KernelsBaseline"]
        + instructionSets.map { .target(name: $0.0) },
      swiftSettings: numeric),
    .target(name: "Safetensors", dependencies: ["Tensors"], swiftSettings: strict),
    .target(name: "Diffusion", dependencies: ["Tensors", "Safetensors"], swiftSettings: numeric),
    .target(name: "Images", dependencies: ["CLibPNG", "CLibJPEG"], swiftSettings: numeric),

    // The queue.
    .target(name: "Postgres", dependencies: ["CLibPQ"], swiftSettings: strict),
    .target(name: "Jobs", swiftSettings: strict),
    .target(
      name: "Migrations", path: "Migrations", exclude: ["schema.sql", "dump-schema.sh"],
      resources: [
        .embedInCode("V0001__tables.sql"),
        .embedInCode("V0002__requests.sql"),
        .embedInCode("V0003__waiting_and_waking.sql"),
        .embedInCode("V0004__workers.sql"),
        .embedInCode("V0005__maintenance.sql"),
        .embedInCode("V0006__functions.sql"),
        .embedInCode("V0007__views.sql"),
        .embedInCode("V0008__roles.sql"),
        .embedInCode("V0009__standing_in_line.sql"),
        .embedInCode("V0010__claim.sql"),
        .embedInCode("V0011__retention.sql"),
        .embedInCode("V0012__dead_letters_and_upgrades.sql"),
        .embedInCode("V0013__plans.sql"),
        .embedInCode("V0014__queue_status.sql"),
        .embedInCode("V0015__fewer_statements.sql"),
        .embedInCode("V0016__claims_of_several.sql"),
        .embedInCode("V0017__maintenance_and_clocks.sql"),
        .embedInCode("V0018__view_columns.sql"),
        .embedInCode("V0019__checks.sql"),
        .embedInCode("V0020__guard.sql"),
        .embedInCode("V0021__claim_of_one.sql"),
        .embedInCode("V0022__ends.sql"),
        .embedInCode("V0023__waiting_for_a_worker.sql"),
      ], swiftSettings: strict),
    .target(name: "JobStore", dependencies: ["Postgres", "Jobs", "Migrations"], swiftSettings: strict),
    .target(
      name: "Worker", dependencies: ["Jobs", "JobStore", "Postgres", logging, serviceLifecycle, coreMetrics],
      swiftSettings: strict),

    // What is watched. Neither sees a job but through views, or a number that somebody counted.
    .target(
      name: "Monitoring", dependencies: hummingbird + [coreMetrics, logging, serviceLifecycle], swiftSettings: strict),
    .target(
      name: "Dashboard", dependencies: ["Postgres"] + hummingbird + [logging, serviceLifecycle],
      resources: page.map { .embedInCode("Page/\($0)") }, swiftSettings: strict),

    // Where they meet.
    .target(
      name: "ImageJobs", dependencies: ["Diffusion", "Tensors", "Images", "Jobs", "CLibCrypto"],
      swiftSettings: strict),
    .executableTarget(
      name: "tintype",
      dependencies: [
        "ImageJobs", "Diffusion", "Tensors", "Safetensors", "Images", "Worker", "JobStore", "Postgres", "Jobs",
        "Migrations", "Monitoring", "Dashboard", argumentParser, logging, serviceLifecycle, unixSignals,
      ], swiftSettings: strict),

    .executableTarget(
      name: "KernelBenchmarks", dependencies: ["Tensors"], path: "Tests/Benchmarks/Kernels", swiftSettings: strict),

    .executableTarget(
      name: "FidelityBenchmark", dependencies: ["Diffusion", "Tensors"], path: "Tests/Benchmarks/Fidelity",
      swiftSettings: strict),

    // Tests. TestSupport is never linked into a product.
    .target(
      name: "TestSupport", dependencies: ["Tensors", "Safetensors", "Postgres"], path: "Tests/Support",
      swiftSettings: strict),
    test("Tensors", ["Tensors", "TestSupport"]),
    test("Safetensors", ["Safetensors", "Tensors", "TestSupport"]),
    test("Diffusion", ["Diffusion", "Tensors", "Safetensors", "TestSupport"]),
    test("Images", ["Images", "TestSupport"]),
    test("Postgres", ["Postgres", "TestSupport"]),
    test("Jobs", ["Jobs"]),
    test("JobStore", ["JobStore", "Jobs", "Postgres", "Migrations", "TestSupport"]),
    test("Worker", ["Worker", "JobStore", "Jobs", "Postgres", "TestSupport", logging, serviceLifecycle]),
    test("Monitoring", ["Monitoring", coreMetrics, logging, serviceLifecycle]),
    test("ImageJobs", ["ImageJobs", "Diffusion", "Tensors", "Images", "Jobs", "TestSupport"]),
    test("EndToEnd", ["TestSupport", "Postgres", "Images", "Safetensors"]),
    .target(name: "CFaults", path: "Tests/Faults"),
    test("Chaos", ["TestSupport", "Postgres"]),
  ] + kernelSets
)
