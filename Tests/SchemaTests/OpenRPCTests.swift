import Foundation
import Schema
import Testing

/// `schema/wire/openrpc.json` against the messages, both ways: nothing more, nothing less.
@Suite struct OpenRPCTests {
  private let document: [String: Any]
  private let schemas: [String: Any]

  init() throws {
    let url = GoldenFiles.schemaFolder.appendingPathComponent("wire/openrpc.json")
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: url))
    document = try #require(object as? [String: Any])
    let components = try #require(document["components"] as? [String: Any])
    schemas = try #require(components["schemas"] as? [String: Any])
  }

  private func methods() throws -> [[String: Any]] {
    try #require(document["methods"] as? [[String: Any]])
  }

  @Test("it is an OpenRPC 1 document of all methods, in their order")
  func listsMethods() throws {
    #expect((document["openrpc"] as? String)?.hasPrefix("1.") == true)
    #expect(try methods().compactMap { $0["name"] as? String } == Methods.all.map { $0.name })
    #expect(try methods().allSatisfy { $0["paramStructure"] as? String == "by-name" })
  }

  @Test("parameters and results have exactly the properties of the messages, all the way down")
  func matchesExamples() throws {
    for (method, entry) in zip(Methods.all, try methods()) { try compare(method, entry) }
  }

  @Test("a property is required exactly when a message without it is refused")
  func matchesRequired() throws {
    for (method, entry) in zip(Methods.all, try methods()) { try compareRequired(method, entry) }
  }

  @Test("errors are listed with their codes")
  func listsErrors() throws {
    let components = try #require(document["components"] as? [String: Any])
    let errors = try #require(components["errors"] as? [String: [String: Any]])
    #expect(Set(errors.keys) == Set(ErrorWord.allCases.map(\.rawValue)))
    for word in ErrorWord.allCases {
      #expect(errors[word.rawValue]?["code"] as? Int == word.code, "\(word)")
    }
  }

  @Test("enumerations list every case")
  func listsCases() throws {
    func cases(_ name: String) -> [String] {
      (schemas[name] as? [String: Any])?["enum"] as? [String] ?? []
    }
    #expect(cases("JobState") == JobState.allCases.map(\.rawValue))
    #expect(cases("LabelSource") == LabelSource.allCases.map(\.rawValue))
    #expect(cases("OnThin") == OnThin.allCases.map(\.rawValue))
    #expect(cases("SelectionPolicy") == SelectionPolicy.allCases.map(\.rawValue))
  }

  @Test("the progress notification is described as it is sent")
  func describesProgress() throws {
    let entries = try #require(document["x-notifications"] as? [[String: Any]])
    let entry = try #require(entries.first { $0["name"] as? String == Methods.progressName })
    let example = JobProgress(
      request: .number(3), jobs: JobWait.exampleResult.jobs, doneBytes: 1, totalBytes: 2)
    try compareParams(try object(example), entry, "progress")
  }

  private func compare<M: Schema.Method>(_ method: M.Type, _ entry: [String: Any]) throws {
    try compareParams(try object(M.exampleParams), entry, M.name)
    try expect(try object(M.exampleResult), fits: try result(entry), at: "\(M.name) result")
  }

  private func compareParams(
    _ example: [String: Any], _ entry: [String: Any], _ name: String
  ) throws {
    let params = try #require(entry["params"] as? [[String: Any]])
    let names = params.compactMap { $0["name"] as? String }
    #expect(names.count == params.count && Set(names) == Set(example.keys), "\(name)")
    for param in params {
      let key = try #require(param["name"] as? String)
      let schema = try #require(param["schema"] as? [String: Any])
      try expect(try #require(example[key]), fits: schema, at: "\(name).\(key)")
    }
  }

  /// Compares an example value with its schema: types, property names both ways, items.
  private func expect(_ value: Any, fits given: [String: Any], at path: String) throws {
    let schema = try resolved(given)
    switch value {
    case let object as [String: Any]:
      #expect(schema["type"] as? String == "object", "\(path)")
      if let values = schema["additionalProperties"] as? [String: Any] {
        for (key, item) in object { try expect(item, fits: values, at: "\(path).\(key)") }
        return
      }
      let properties = try #require(schema["properties"] as? [String: [String: Any]], "\(path)")
      #expect(Set(properties.keys) == Set(object.keys), "\(path)")
      for (key, item) in object {
        try expect(item, fits: try #require(properties[key]), at: "\(path).\(key)")
      }
    case let list as [Any]:
      #expect(schema["type"] as? String == "array", "\(path)")
      let items = try #require(schema["items"] as? [String: Any], "\(path)")
      for item in list { try expect(item, fits: items, at: "\(path)[]") }
    case let text as String:
      #expect(accepts(schema, "string"), "\(path)")
      if let cases = schema["enum"] as? [String] { #expect(cases.contains(text), "\(path)") }
    case let number as NSNumber:
      let text = try JSONSerialization.data(withJSONObject: [number])
      let isBoolean = ["[true]", "[false]"].contains(String(decoding: text, as: UTF8.self))
      let isInteger = number.doubleValue == number.doubleValue.rounded()
      let isFitting =
        isBoolean
        ? accepts(schema, "boolean")
        : accepts(schema, "number") || (isInteger && accepts(schema, "integer"))
      #expect(isFitting, "\(path)")
    default:
      Issue.record("\(path) is \(value)")
    }
  }

  private func accepts(_ schema: [String: Any], _ type: String) -> Bool {
    schema["type"] as? String == type || (schema["type"] as? [String])?.contains(type) == true
  }

  private func resolved(_ schema: [String: Any]) throws -> [String: Any] {
    guard let reference = schema["$ref"] as? String else { return schema }
    let name = try #require(reference.split(separator: "/").last)
    return try #require(schemas[String(name)] as? [String: Any], "\(reference)")
  }

  private func result(_ entry: [String: Any]) throws -> [String: Any] {
    let result = try #require(entry["result"] as? [String: Any])
    return try #require(result["schema"] as? [String: Any])
  }

  private func compareRequired<M: Schema.Method>(
    _ method: M.Type, _ entry: [String: Any]
  ) throws {
    let params = try #require(entry["params"] as? [[String: Any]])
    let required = Set(
      params.filter { $0["required"] as? Bool == true }.compactMap { $0["name"] as? String })
    #expect(try missed(M.exampleParams) == required, "\(M.name) params")
    let names = try resolved(try result(entry))["required"] as? [String] ?? []
    #expect(try missed(M.exampleResult) == Set(names), "\(M.name) result")
  }

  /// The keys without which an example is refused.
  private func missed<Value: Codable>(_ example: Value) throws -> Set<String> {
    let whole = try object(example)
    return try Set(
      whole.keys.filter { key in
        let text = try JSONSerialization.data(withJSONObject: whole.filter { $0.key != key })
        do throws(SchemaError) {
          _ = try JSONText.decode(Value.self, from: Array(text))
          return false
        } catch {
          #expect(error.message == "\(key) is missing")
          return true
        }
      })
  }

  private func object(_ value: some Encodable) throws -> [String: Any] {
    let data = Data(try JSONText.encode(value))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }
}
