import Schema
import Wire

/// A connection to the daemon whose failures are the command's own.
struct Connection {
  private static let clientName = "groundwell"

  private let client: DaemonClient

  /// Connects and greets.
  init(socketPath: String) throws(ClientError) {
    do throws(WireError) {
      client = try DaemonClient.connect(socketPath: socketPath, clientName: Self.clientName)
    } catch {
      throw ClientError(error)
    }
  }

  /// Asks and waits for the answer.
  func call<M: Method>(
    _ method: M.Type, _ params: M.Params, timeout: Duration = DaemonClient.standardTimeout,
    onProgress: (JobProgress) -> Void = { _ in }
  ) throws(ClientError) -> M.Result {
    do throws(WireError) {
      return try client.call(method, params, timeout: timeout, onProgress: onProgress).result
    } catch {
      throw ClientError(error)
    }
  }

  /// Asks about categories; where one is unknown, the error says which was probably meant.
  func callAboutCategories<M: Method>(
    _ method: M.Type, _ params: M.Params, categories: [CategoryName]
  ) throws(ClientError) -> M.Result {
    do throws(WireError) {
      return try client.call(method, params).result
    } catch  where error.word == .categoryUnknown {
      let known = try call(Counts.self, Counts.Params()).categories.map(\.category)
      throw ClientError(.refused, CategoryHint.unknown(categories, known: known) ?? error.message)
    } catch {
      throw ClientError(error)
    }
  }

  /// The limits that the daemon has told.
  var limits: Limits { client.greeting.limits }

  /// Sends a request and returns at once.
  func send<M: Method>(
    _ method: M.Type, _ params: M.Params, body: [UInt8] = []
  ) throws(ClientError) -> RequestID {
    do throws(WireError) {
      return try client.send(method, params, body: body)
    } catch {
      throw ClientError(error)
    }
  }

  /// Waits for the answer to a request that was sent; its refusal is the caller's to judge.
  func receive<M: Method>(
    _ method: M.Type, _ id: RequestID, timeout: Duration = DaemonClient.standardTimeout
  ) throws(WireError) -> M.Result {
    try client.receive(method, id: id, timeout: timeout).result
  }

  /// A triplet with its pixels.
  typealias TripletAnswer = (info: TripletInfo, image: RGBImage, masks: [BinaryMask])

  /// Waits for a triplet that was asked for; its refusal is the caller's to judge.
  func receiveTriplet(_ id: TripletID, _ request: RequestID) throws(WireError) -> TripletAnswer {
    let answer = try client.receive(TripletGet.self, id: request)
    let pixels = try Self.pixels(answer.body, of: id, masks: answer.result.masks.count)
    return (answer.result, pixels.image, pixels.masks)
  }

  /// Reads triplets with their pixels, asking ahead.
  func triplets(_ ids: [TripletID]) throws(ClientError) -> [TripletAnswer] {
    let askedAhead = 8
    var read: [TripletAnswer] = []
    do throws(WireError) {
      var waiting: [RequestID] = []
      for (index, id) in ids.enumerated() {
        while waiting.count + index < min(ids.count, index + askedAhead) {
          let next = ids[index + waiting.count]
          waiting.append(try client.send(TripletGet.self, .init(triplet: next)))
        }
        read.append(try receiveTriplet(id, waiting.removeFirst()))
      }
    } catch {
      throw ClientError(error)
    }
    return read
  }

  private static func pixels(
    _ body: [UInt8], of id: TripletID, masks: Int
  ) throws(WireError) -> (image: RGBImage, masks: [BinaryMask]) {
    do throws(SchemaError) {
      let pixels = try TripletBody.decode(body)
      guard pixels.masks.count == masks else {
        throw SchemaError(
          .badBody, "\(pixels.masks.count) masks in the body, \(masks) in the description")
      }
      return pixels
    } catch {
      throw WireError(
        .badProtocol, "the daemon's answer for triplet \(id) is broken: \(error.message)",
        cause: error)
    }
  }
}
