package import Schema
package import Wire

/// Training examples from a stream of the daemon.
///
/// The stream is opened for the seen categories alone: the daemon marks what else is in a picture as
/// pixels to ignore, so no mask of an unseen category ever leaves it.
package final class StreamSource: TrainingSource {
  /// What the daemon answered to the opening.
  package let stream: StreamOpen.Result
  private let client: DaemonClient

  /// Opens a stream.
  ///
  /// - Parameters:
  ///   - categories: the seen categories.
  ///   - resume: opens the same stream as this token, if given.
  /// - Throws: ``GeneratorError/Code/fileAccess`` with the daemon's reason.
  package init(
    _ client: DaemonClient, categories: [CategoryName], batchSize: Int, imageSize: Int?,
    seed: Int64, resume: ResumeToken? = nil
  ) throws(GeneratorError) {
    self.client = client
    let parameters = StreamOpen.Params(
      categories: categories, batchSize: batchSize, imageSize: imageSize,
      seed: resume?.seed ?? seed, onThin: .fail, snapshot: resume?.snapshot,
      store: resume?.store)
    do throws(WireError) {
      stream = try client.call(StreamOpen.self, parameters).result
    } catch {
      throw GeneratorError(
        .fileAccess, "the daemon opens no stream of the seen categories: \(error.message)",
        cause: error)
    }
  }

  /// The stream's categories.
  package var categories: [CategoryName] { stream.categories.map(\.category) }

  /// The hash of the stream's plan.
  package var identity: String { stream.plan }

  /// Batch `k` of the stream.
  package func batch(_ k: Int) throws(GeneratorError) -> [TrainingExample] {
    let parameters = BatchGet.Params(stream: stream.stream, k: k)
    let (answer, body): (BatchGet.Result, [UInt8])
    do throws(WireError) {
      (answer, body) = try client.call(BatchGet.self, parameters)
      _ = try client.call(
        BatchDone.self, BatchDone.Params(stream: stream.stream, k: k))
    } catch {
      throw GeneratorError(
        .fileAccess, "batch \(k): \(error.message)", cause: error)
    }
    return try StreamBatch(body, prompts: answer.prompts, side: stream.imageSize)
      .examples(categories)
  }
}

/// The tensors of a batch's body.
struct StreamBatch {
  private let body: [UInt8]
  private let tensors: [String: BodyTensor]
  private let prompts: [String]
  private let side: Int

  /// Checks a body.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  init(_ body: [UInt8], prompts: [String], side: Int) throws(GeneratorError) {
    self.body = body
    self.prompts = prompts
    self.side = side
    do throws(SchemaError) {
      tensors = try Safetensors.decode(body)
    } catch {
      throw GeneratorError(.fileAccess, "a batch that cannot be read: \(error.message)")
    }
  }

  /// The examples, with the masks of `categories`, which are the stream's.
  func examples(_ categories: [CategoryName]) throws(GeneratorError) -> [TrainingExample] {
    let (count, pixels) = (prompts.count, side * side)
    let image = try bytes("image", .u8, [count, side, side, 3])
    let labels = try bytes("labels", .u16, [count, side, side])
    let target = try bytes("target", .u8, [count, side, side])
    let drawn = try bytes("category", .i32, [count])
    let triplet = try bytes("triplet", .i64, [count])
    return try (0..<count).map { item throws(GeneratorError) in
      let map = (0..<pixels).map { pixel in
        let at = labels.startIndex + 2 * (item * pixels + pixel)
        return UInt16(labels[at]) | UInt16(labels[at + 1]) << 8
      }
      let category = number(drawn, item, bytes: 4)
      guard categories.indices.contains(category) else {
        throw GeneratorError(.fileAccess, "a batch of category number \(category)")
      }
      let first = target.startIndex + item * pixels
      let mask = target[first..<first + pixels].map { min($0, 1) }
      var masks: [(category: CategoryName, mask: BinaryMask)] = [
        (categories[category], BinaryMask(width: side, height: side, values: mask))
      ]
      for label in Set(map).sorted()
      where label > 0 && Int(label) <= categories.count && Int(label) - 1 != category {
        let values = map.map { UInt8($0 == label ? 1 : 0) }
        masks.append(
          (categories[Int(label) - 1], BinaryMask(width: side, height: side, values: values)))
      }
      let from = image.startIndex + item * pixels * 3
      return TrainingExample(
        triplet: Int64(number(triplet, item, bytes: 8)),
        image: RGBImage(
          width: side, height: side, pixels: Array(image[from..<from + pixels * 3])),
        prompt: prompts[item], masks: masks,
        counts: map.map { $0 == BatchGet.ignoreLabel ? 0 : 1 })
    }
  }

  private func bytes(
    _ name: String, _ type: ElementType, _ shape: [Int]
  ) throws(GeneratorError) -> ArraySlice<UInt8> {
    guard let tensor = tensors[name], tensor.type == type, tensor.shape == shape else {
      throw GeneratorError(
        .fileAccess,
        "a batch whose '\(name)' is \(tensors[name]?.shape ?? []); "
          + "expected \(type.rawValue) \(shape)")
    }
    return body[tensor.range]
  }

  private func number(_ slice: ArraySlice<UInt8>, _ index: Int, bytes: Int) -> Int {
    let start = slice.startIndex + index * bytes
    let value = slice[start..<start + bytes].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return bytes == 4 ? Int(Int32(truncatingIfNeeded: value)) : Int(Int64(bitPattern: value))
  }
}
