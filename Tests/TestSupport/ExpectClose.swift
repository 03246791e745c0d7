public import Testing

/// Expects every element to lie within `absolute + relative · |expected|` of the expected one.
///
/// Reports the first offender with its index, at the caller's line.
public func expectClose(
  _ actual: [Float], _ expected: [Float], absolute: Float, relative: Float,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(actual.count == expected.count, sourceLocation: sourceLocation)
  for (index, (a, e)) in zip(actual, expected).enumerated() {
    let bound = absolute + relative * abs(e)
    guard abs(a - e) <= bound else {
      Issue.record(
        "[\(index)]: \(a), expected \(e) ± \(bound)", sourceLocation: sourceLocation)
      return
    }
  }
}
