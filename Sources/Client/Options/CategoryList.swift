package import Schema

/// Category names as they stand on a command line.
package enum CategoryList {
  /// Reads names; an argument may hold several, separated by commas, and each counts once.
  ///
  /// - Throws: ``ExitStatus/usage`` with the naming rule that is broken.
  package static func names(_ arguments: [String]) throws(ClientError) -> [CategoryName] {
    var seen = Set<CategoryName>()
    var names: [CategoryName] = []
    for argument in arguments {
      for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
        let name = try name(String(part))
        if seen.insert(name).inserted { names.append(name) }
      }
    }
    guard names.count <= Limits.standard.maximumCategories else {
      throw ClientError(
        .usage, "\(names.count) categories; at most \(Limits.standard.maximumCategories) at once")
    }
    return names
  }

  /// Reads one name.
  ///
  /// - Throws: ``ExitStatus/usage`` with the naming rule that is broken.
  package static func name(_ argument: String) throws(ClientError) -> CategoryName {
    do throws(SchemaError) {
      return try CategoryName(argument)
    } catch {
      throw ClientError(.usage, error.message)
    }
  }
}
