import Foundation
import Testing

@testable import Generator

/// The files that `python/fixtures/make_fixtures.py` wrote.
enum Fixtures {
  static let root =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures"

  static func weights(_ name: String) throws -> [String: Weight] {
    try SafetensorsFile(path: "\(root)/\(name).safetensors").weights()
  }

  static func tensors(_ name: String, _ workspace: Workspace) throws -> [String: Tensor] {
    try weights(name).mapValues { $0.tensor(workspace) }
  }

  static func model(_ name: String) throws -> ModelDirectory {
    try ModelDirectory(path: "\(root)/models/\(name)")
  }
}

/// The norm of the difference over the norm of the expected values.
func relativeError(_ actual: [Float], _ expected: [Float]) -> Double {
  guard actual.count == expected.count, !expected.isEmpty else { return .infinity }
  var (difference, size) = (0.0, 0.0)
  for (a, e) in zip(actual, expected) {
    difference += Double(a - e) * Double(a - e)
    size += Double(e) * Double(e)
  }
  return (difference / size).squareRoot()
}

/// Expects the values of two tensors of one shape to agree.
func expectNear(
  _ actual: Tensor, _ expected: Tensor?, _ bound: Double, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let expected = try #require(expected, sourceLocation: sourceLocation)
  #expect(actual.shape == expected.shape, "\(what)", sourceLocation: sourceLocation)
  let error = relativeError(actual.values, expected.values)
  #expect(error <= bound, "\(what): relative error \(error)", sourceLocation: sourceLocation)
  Figures.record(what.isEmpty ? "\(sourceLocation.line)" : what, error, bound)
}

/// Prints what was measured where `GROUNDWELL_FIGURES` names a file, for `show-fixtures`.
enum Figures {
  static func record(_ what: String, _ figure: Double, _ bound: Double) {
    guard let path = ProcessInfo.processInfo.environment["GROUNDWELL_FIGURES"] else { return }
    // Safe: Swift lends the path for the call.
    let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT, 0o644)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let line = Array("\(figure)\t\(bound)\t\(what)\n".utf8)
    // Safe: the array outlives the call.
    _ = unsafe line.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
  }
}
