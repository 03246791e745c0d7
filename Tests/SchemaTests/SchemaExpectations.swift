import Schema
import Testing

/// Expects `body` to throw a ``SchemaError`` with this code and exactly this message.
func expectRefused<Value>(
  _ code: SchemaError.Code, _ message: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Value
) {
  let error = #expect(throws: SchemaError.self, sourceLocation: sourceLocation) {
    _ = try body()
  }
  #expect(error?.code == code, sourceLocation: sourceLocation)
  #expect(error?.message == message, sourceLocation: sourceLocation)
}
