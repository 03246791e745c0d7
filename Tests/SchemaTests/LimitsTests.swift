import Foundation
import Schema
import Testing

/// The bounds that `hello` reports.
@Suite struct LimitsTests {
  private func values() throws -> [String: Int] {
    let object = try JSONSerialization.jsonObject(with: Data(JSONText.encode(Limits.standard)))
    return try #require(object as? [String: Int])
  }

  @Test("every limit is a positive integer that survives the wire")
  func roundTrip() throws {
    let limits = try values()
    #expect(limits.count >= 25)
    #expect(limits.values.allSatisfy { $0 > 0 && $0 < 1 << 53 })
    #expect(try JSONText.decode(Limits.self, from: JSONText.encode(Limits.standard)) == .standard)
  }

  @Test("limits fit each other and the widths of the frame's fields")
  func fit() {
    let limits = Limits.standard
    #expect(limits.maximumJsonBytes <= Int(UInt32.max))
    #expect(limits.maximumBatchBytes <= Int(UInt32.max))
    #expect(limits.maximumDescriptors <= Int(UInt8.max))
    #expect(limits.maximumUnreadBytes >= limits.maximumBatchBytes)
    #expect(limits.minimumImageSide < limits.maximumImageSide)
    // The largest image a store takes can be handed in with a mask or more.
    let pixels = limits.maximumImageSide * limits.maximumImageSide
    #expect(pixels * 4 + Safetensors.maximumHeaderBytes <= limits.maximumRequestBodyBytes)
    // positions stay inside Int64: batch number times batch size.
    #expect(limits.maximumBatchNumber <= Int.max / limits.maximumBatchSize - 1)
    // A label map holds every category of a stream beside background and ignore.
    #expect(limits.maximumCategories < Int(BatchGet.ignoreLabel))
  }

  @Test("the README lists every limit with its value")
  func documented() throws {
    let readme = try String(
      contentsOf: GoldenFiles.schemaFolder.appendingPathComponent("README.md"), encoding: .utf8)
    for (name, value) in try values() {
      let isListed = readme.contains("| `\(name)` | \(value) |")
      #expect(isListed, "\(name) is \(value)")
    }
  }

  @Test("the README lists every method, and every word with its code")
  func documentsMethods() throws {
    let readme = try String(
      contentsOf: GoldenFiles.schemaFolder.appendingPathComponent("README.md"), encoding: .utf8)
    for method in Methods.all {
      let isListed = readme.contains("| `\(method.name)` |")
      #expect(isListed, "\(method.name)")
    }
    for word in ErrorWord.allCases {
      let isListed = readme.contains("| `\(word.rawValue)` | \(word.code) |")
      #expect(isListed, "\(word.rawValue)")
    }
  }
}
