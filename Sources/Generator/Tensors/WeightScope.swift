import Synchronization

/// The weights of one model part by their published names, and what has been asked of them.
///
/// Layers ask for what they need; what is missing, misshapen or never asked for is collected and
/// thrown as one error by ``finish()``, so that a wrong file is understood at one glance.
package final class WeightCollection: Sendable {
  /// At most this many problems are spelled out in one error.
  package static let maximumListedProblems = 20

  private struct State {
    var used: Set<String> = []
    var problems: [String] = []
  }

  let name: String
  let workspace: Workspace
  let files: [MappedFile]
  private let weights: [String: Weight]
  private let state = Mutex(State())

  /// The weights of a part; `name` is used in messages.
  convenience package init(_ weights: [String: Weight], name: String, workspace: Workspace) {
    self.init(weights, name: name, workspace: workspace, files: [])
  }

  /// The weights of a part and the files that they are mapped from.
  init(_ weights: [String: Weight], name: String, workspace: Workspace, files: [MappedFile]) {
    self.files = files
    self.weights = weights
    self.name = name
    self.workspace = workspace
  }

  /// The scope of all names.
  package var root: WeightScope { WeightScope(collection: self, prefix: "") }

  /// The names there are.
  package var names: Dictionary<String, Weight>.Keys { weights.keys }

  /// Ends the loading.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` that lists every missing, misshapen, unused or
  ///   not finite tensor.
  package func finish() throws(GeneratorError) {
    let problems = state.withLock { state in
      let unused = weights.keys.filter { !state.used.contains($0) }.sorted()
      return state.problems.sorted() + unused.map { "'\($0)' has no place in this model" }
    }
    guard !problems.isEmpty else { return }
    let shown = problems.prefix(Self.maximumListedProblems).joined(separator: "; ")
    let rest = problems.count - Self.maximumListedProblems
    throw GeneratorError(
      .badCheckpoint, "\(name): \(shown)" + (rest > 0 ? "; and \(rest) more" : ""))
  }

  fileprivate func weight(_ key: String, shapes: [[Int]]) -> Weight {
    guard let weight = weights[key] else {
      note("no tensor '\(key)' \(shapes[0])", key)
      return .missing
    }
    guard shapes.contains(weight.shape) else {
      note("'\(key)' is \(weight.shape), this model needs \(shapes[0])", key)
      return .missing
    }
    let isFinite = !weight.hasNonFinite
    // The check has touched every page of the weight, and the network may not run for a while.
    weight.forget()
    guard isFinite else {
      note("'\(key)' holds NaN or infinity", key)
      return .missing
    }
    state.withLock { _ = $0.used.insert(key) }
    return weight
  }

  fileprivate func has(_ key: String) -> Bool { weights[key] != nil }

  fileprivate func note(_ problem: String, _ key: String) {
    state.withLock {
      $0.problems.append(problem)
      $0.used.insert(key)
    }
  }
}

/// The weights under one dotted prefix.
///
/// A layer asks for its weights by the names the published checkpoint uses, and says the shape it
/// expects, so the code reads next to the reference:
///
///     let fc1 = Linear(scope["encoder"]["layers.0"]["mlp.fc1"], inputs: 768, outputs: 3072)
package struct WeightScope: Sendable {
  let collection: WeightCollection
  private let prefix: String

  init(collection: WeightCollection, prefix: String) {
    self.collection = collection
    self.prefix = prefix
  }

  /// Where activations and small weights live.
  var workspace: Workspace { collection.workspace }

  /// The scope one level down.
  package subscript(name: String) -> WeightScope {
    WeightScope(collection: collection, prefix: prefix + name + ".")
  }

  /// Whether there is a tensor `prefix + name`.
  package func has(_ name: String) -> Bool { collection.has(prefix + name) }

  /// The tensor `prefix + name`, which has one of `shapes`.
  ///
  /// Messages ask for the first shape. What is wrong with the tensor is thrown by
  /// ``WeightCollection/finish()``.
  package func weight(_ name: String, _ shapes: [Int]...) -> Weight {
    collection.weight(prefix + name, shapes: shapes)
  }

  /// The same as floats, for biases and norms.
  package func tensor(_ name: String, _ shape: [Int]) -> Tensor {
    collection.weight(prefix + name, shapes: [shape]).tensor(workspace)
  }
}
