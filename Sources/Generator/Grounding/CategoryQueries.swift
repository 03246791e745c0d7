extension DiffusionModel {
  /// At most this many categories are asked for at once.
  package static let maximumCategories = 256

  /// The embedding of each category, `[categories, textChannels]`: the text encoder's output at the
  /// tokens of its own name in the template's sentence, averaged.
  ///
  /// The published code takes the tokens from position 5 on, which is right for one template alone.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when there are no categories or too many, or
  ///   one has no tokens or does not fit into the sentence.
  package func categoryEmbeddings(
    _ categories: [String], template: PromptTemplate
  ) throws(GeneratorError) -> Tensor {
    guard (1...Self.maximumCategories).contains(categories.count) else {
      throw GeneratorError(
        .invalidArgument,
        "\(categories.count) categories; expected 1 to \(Self.maximumCategories)")
    }
    let width = textEncoder.configuration.width
    var rows: [Float] = []
    for first in stride(from: 0, to: categories.count, by: Self.maximumBatch) {
      let part = categories[first..<min(first + Self.maximumBatch, categories.count)]
      let places = try part.map { name throws(GeneratorError) in
        try categoryTokens(name, template: template)
      }
      let embedding = try embed(part.map(template.prompt)).embedding
      let length = embedding.shape[1]
      for (index, tokens) in places.enumerated() {
        let values = embedding.slice(index..<index + 1).reshaped([length, width])
        var sum = [Float](repeating: 0, count: width)
        for token in tokens {
          for (channel, value) in values.slice(token..<token + 1).values.enumerated() {
            sum[channel] += value
          }
        }
        rows += sum.map { $0 / Float(tokens.count) }
      }
    }
    return workspace.tensor(rows, shape: [categories.count, width])
  }

  /// The places of a category's tokens in the template's sentence.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument``.
  package func categoryTokens(
    _ category: String, template: PromptTemplate
  ) throws(GeneratorError) -> [Int] {
    let length = textEncoder.configuration.length
    let count = try tokenizer.encode(category, length: length).textTokenCount
    guard count > 0 else {
      throw GeneratorError(.invalidArgument, "the category '\(category.prefix(80))' has no tokens")
    }
    let first = 1 + (try tokenizer.encode(template.before, length: length).textTokenCount)
    guard first + count <= length - 1 else {
      throw GeneratorError(
        .invalidArgument,
        "the category '\(category.prefix(80))' has \(count) tokens; "
          + "'\(template.text.prefix(80))' leaves room for \(max(0, length - 1 - first))")
    }
    let found = try positions(of: category, in: template.prompt(category))
    guard let tokens = found.first(where: { $0.first == first }) else {
      throw GeneratorError(
        .invalidArgument,
        "the category '\(category.prefix(80))' cannot be found in "
          + "'\(template.prompt(category).prefix(120))'; put spaces around {} in the template")
    }
    return tokens
  }
}
