import ArgumentParser
import Schema

/// What form the answer takes.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one line of JSON, as the protocol spells it, instead of text.")
  var json = false

  /// One line of JSON with an answer of the daemon.
  static func line(_ value: some Encodable) throws(ClientError) -> String {
    do throws(SchemaError) {
      return String(decoding: try JSONText.encode(value), as: UTF8.self) + "\n"
    } catch {
      throw ClientError(.failed, error.message)
    }
  }
}
