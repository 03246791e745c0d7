import Schema
import TestSupport
import Testing
import Wire

/// Streams of every policy, and what is wrong with the parameters of one.
@Suite struct PolicyTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
    for (category, count) in [("cat", 6), ("dog", 3), ("bus", 1)] {
      try client.order(category, count)
      _ = try client.work()
    }
  }

  private func params(_ policy: SelectionPolicy) throws -> StreamOpen.Params {
    var params = StreamOpen.Params(
      categories: try ["cat", "dog", "bus"].map { try CategoryName($0) }, batchSize: 5, seed: 4,
      policy: policy.rawValue)
    if policy == .weights { params.weights = [1, 5, 2] }
    if policy == .mixture { params.unseen = [try CategoryName("bus")] }
    return params
  }

  @Test("batches of every policy are those of its plan", arguments: SelectionPolicy.allCases)
  func batches(policy: SelectionPolicy) throws {
    let params = try params(policy)
    let open = try client.call(StreamOpen.self, params).result
    let selection: Selection =
      switch policy {
      case .balanced: .balanced
      case .natural: .natural
      case .weights: .weights([1, 5, 2])
      case .repeatFactor: .repeatFactor(threshold: 0.001, power: 0.5)
      case .mixture: .mixture(unseen: [2], share: 0.5)
      }
    let plan = try BatchPlan(
      batchSize: 5, categories: open.categories.map { ($0.category, $0.stock) },
      selection: selection, seed: 4)
    #expect(open.shares == plan.shares)
    #expect(open.token.policy == policy)
    #expect(open.token.edges == nil)
    #expect(open.epochBatches == plan.epochBatchCount)
    for number in [0, 1, 1_000_003] {
      let (result, body) = try client.call(BatchGet.self, .init(stream: open.stream, k: number))
      let draws = plan.draws(batch: number)
      #expect(result.epochs == draws.map(\.epoch))
      #expect(try integers(body, "category", 4) == draws.map(\.category))
      let chances = try integers(body, "probability", 4).map { Float(bitPattern: UInt32($0)) }
      #expect(chances == draws.map { Float(plan.probability(category: $0.category)) })
    }
  }

  @Test("the plan's hash tells streams apart that draw or look differently, and no others")
  func hashes() throws {
    var seen: [String: String] = [:]
    func differs(_ name: String, _ params: StreamOpen.Params) throws {
      let open = try client.call(StreamOpen.self, params).result
      _ = try client.call(StreamClose.self, .init(stream: open.stream))
      #expect(seen[open.plan] == nil, "\(name) has the hash of \(seen[open.plan] ?? "")")
      seen[open.plan] = name
    }
    for policy in SelectionPolicy.allCases { try differs(policy.rawValue, params(policy)) }
    func changed(
      _ name: String, _ policy: SelectionPolicy = .balanced,
      _ change: (inout StreamOpen.Params) -> Void
    ) throws {
      var params = try params(policy)
      change(&params)
      try differs(name, params)
    }
    try changed("weights", .weights) { $0.weights = [1, 5, 3] }
    try changed("threshold", .repeatFactor) { $0.threshold = 0.4 }
    try changed("power", .repeatFactor) { ($0.threshold, $0.power) = (0.4, 0.9) }
    try changed("share", .mixture) { $0.unseenShare = 0.25 }
    try changed("seed") { $0.seed = 5 }
    try changed("size") { $0.batchSize = 6 }
    try changed("side") { $0.imageSize = 8 }
    try changed("rank") { ($0.rank, $0.world) = (0, 2) }
    try changed("follow") { $0.follow = true }
    try changed("layout") { $0.layout = .nchw }
    try changed("tensors") { $0.tensors = [.image] }
    try changed("resize") { $0.resize = .bilinear }
    try changed("flip") { $0.flip = true }
    try changed("crop") { $0.crop = [0.5, 1] }
    var same = try params(.balanced)
    same.tensors = BatchTensor.standard
    (same.layout, same.resize, same.flip, same.prompts) = (.nhwc, .area, false, false)
    (same.rank, same.world, same.minimum) = (0, 1, 1)
    let open = try client.call(StreamOpen.self, same).result
    #expect(seen[open.plan] == "balanced")
  }

  @Test("parameters that do not fit the policy are refused with what is wrong")
  func refuses() throws {
    func refused(
      _ word: ErrorWord, _ message: String, _ policy: SelectionPolicy,
      line: SourceLocation = #_sourceLocation, _ change: (inout StreamOpen.Params) throws -> Void
    ) throws {
      var params = try params(policy)
      try change(&params)
      let error = client.refusal(StreamOpen.self, params)
      #expect(error?.word == word, sourceLocation: line)
      #expect(error?.message == message, sourceLocation: line)
    }
    try refused(
      .invalidParams, "2 weights for 3 categories; expected one for each", .weights
    ) { $0.weights = [1, 2] }
    try refused(
      .invalidParams, "weight 1 is 0.0; expected a finite number above 0", .weights
    ) { $0.weights = [1, 0, 1] }
    try refused(
      .invalidParams,
      "policy 'weights' needs 'weights' and 'categories': one number above 0 for each category",
      .weights
    ) { $0.weights = nil }
    try refused(
      .invalidParams,
      "policy 'weights' needs 'weights' and 'categories': one number above 0 for each category",
      .weights
    ) { ($0.categories, $0.all) = (nil, true) }
    try refused(
      .invalidParams, "'power' is for policy 'repeat-factor', the stream has 'balanced'", .balanced
    ) { $0.power = 0.5 }
    try refused(
      .invalidParams, "threshold is 1.5; expected a number above 0 and at most 1", .repeatFactor
    ) { $0.threshold = 1.5 }
    try refused(
      .invalidParams, "power is -1.0; expected 0 to 1", .repeatFactor
    ) { $0.power = -1 }
    try refused(
      .invalidParams, "unseen category 'emu' is not among the stream's categories", .mixture
    ) { $0.unseen = [try CategoryName("emu")] }
    try refused(
      .invalidParams, "policy 'mixture' needs 'unseen', the unseen categories", .mixture
    ) { $0.unseen = nil }
    try refused(
      .invalidParams,
      "3 of 3 categories are unseen; a mixture needs at least one unseen and one seen category",
      .mixture
    ) { $0.unseen = $0.categories }
    try refused(
      .unsupported,
      "policy 'natural' goes through the whole snapshot at once and cannot follow the store",
      .natural
    ) { $0.follow = true }
    try refused(
      .invalidParams, "'edges' are for a stream with 'follow' and the 'snapshot' of its token",
      .balanced
    ) { $0.edges = [:] }
    try refused(
      .unsupported,
      "policy 'fair' is not offered; this daemon has: balanced, natural, weights, repeat-factor, "
        + "mixture", .balanced
    ) { $0.policy = "fair" }
    try refused(
      .invalidParams, "maximum_draws is 0; expected 1 to 10000000", .balanced
    ) { $0.maximumDraws = 0 }
  }
}

/// A tensor of integers of so many bytes each.
func integers(_ body: [UInt8], _ name: String, _ size: Int) throws -> [Int] {
  let range = try #require(try Safetensors.decode(body)[name]).range
  return stride(from: range.lowerBound, to: range.upperBound, by: size).map { start in
    body[start..<(start + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
  }
}
