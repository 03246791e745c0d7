package import Schema
import Wire

/// Training examples from a stream of the daemon.
///
/// The stream is opened for the seen categories alone: the daemon marks what else is in a picture as
/// pixels to ignore, so no mask of an unseen category ever leaves it.
package final class StreamSource: TrainingSource {
  private let stream: BatchStream

  /// Opens a stream.
  ///
  /// - Parameters:
  ///   - categories: the seen categories.
  ///   - resume: opens the same stream as this token, if given.
  /// - Throws: ``GeneratorError/Code/fileAccess`` with the daemon's reason.
  package init(
    socketPath: String, categories: [CategoryName], batchSize: Int, imageSize: Int?,
    seed: Int64, resume: ResumeToken? = nil
  ) throws(GeneratorError) {
    let parameters = StreamOpen.Params(
      categories: categories, batchSize: batchSize, imageSize: imageSize,
      seed: resume?.seed ?? seed, onThin: .fail, snapshot: resume?.snapshot,
      store: resume?.store)
    do throws(WireError) {
      stream = try BatchStream(
        socketPath: socketPath, clientName: "groundwell-generator train", parameters)
    } catch {
      throw GeneratorError(
        .fileAccess, "the daemon opens no stream of the seen categories: \(error.message)",
        cause: error)
    }
  }

  /// Opens the same stream again.
  package var token: ResumeToken { stream.opened.token }

  /// The stream's categories.
  package var categories: [CategoryName] { stream.opened.categories.map(\.category) }

  /// The hash of the stream's plan.
  package var identity: String { stream.opened.plan }

  /// Batch `k` of the stream; the ones behind it are asked for ahead while they come in order.
  package func batch(_ k: Int) throws(GeneratorError) -> [TrainingExample] {
    let batch: Wire.StreamBatch
    do throws(WireError) {
      batch = try k == stream.position ? stream.next() : stream.get(k)
    } catch {
      throw GeneratorError(
        .fileAccess, "batch \(k): \(error.message)", cause: error)
    }
    let body = unsafe batch.withBytes { unsafe [UInt8]($0) }
    return try StreamExamples(
      body, tensors: batch.tensors, prompts: batch.result.prompts, side: stream.opened.imageSize
    ).examples(categories)
  }
}

/// The tensors of a batch's body.
struct StreamExamples {
  private let body: [UInt8]
  private let tensors: [String: BodyTensor]
  private let prompts: [String]
  private let side: Int

  /// The tensors as they lie in a body.
  init(_ body: [UInt8], tensors: [String: BodyTensor], prompts: [String], side: Int) {
    self.body = body
    self.tensors = tensors
    self.prompts = prompts
    self.side = side
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
