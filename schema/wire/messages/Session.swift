/// Opens a session: agrees on a protocol version and tells the limits.
public enum Hello: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Protocol versions that the client speaks.
    public var protocols: [Int]
    /// The client's name, for logs and `status`.
    public var client: String
    /// The client's version.
    public var version: String?
    /// Capabilities without which the client cannot work.
    public var requires: [String]?

    /// Creates parameters.
    public init(
      protocols: [Int] = Methods.protocolVersions, client: String, version: String? = nil,
      requires: [String]? = nil
    ) {
      self.protocols = protocols
      self.client = client
      self.version = version
      self.requires = requires
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The version that both will speak.
    public var protocolVersion: Int
    /// The daemon's name and version.
    public var server: String
    /// The UUID of the store.
    public var store: String
    /// What the daemon offers beyond the protocol's core.
    public var capabilities: [String]
    /// The bounds that it enforces.
    public var limits: Limits

    /// Creates an answer.
    public init(
      protocolVersion: Int, server: String, store: String, capabilities: [String], limits: Limits
    ) {
      self.protocolVersion = protocolVersion
      self.server = server
      self.store = store
      self.capabilities = capabilities
      self.limits = limits
    }
  }

  /// The name on the wire.
  public static let name = "hello"
  /// A filled-in request.
  public static let exampleParams = Params(
    client: "example", version: "1.0", requires: ["inline"])
  /// A filled-in answer.
  public static let exampleResult = Result(
    protocolVersion: 1, server: "groundwelld 0.1.0",
    store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", capabilities: ["inline"], limits: Limits())
}

/// Answers at once and does nothing.
public enum Ping: Method {
  /// Takes nothing.
  public typealias Params = Empty
  /// Answers nothing.
  public typealias Result = Empty
  /// The name on the wire.
  public static let name = "ping"
  /// A filled-in request.
  public static let exampleParams = Empty()
  /// A filled-in answer.
  public static let exampleResult = Empty()
}

/// Tells how the daemon and its store are.
public enum Status: Method {
  /// Takes nothing.
  public typealias Params = Empty

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The daemon's name and version.
    public var server: String
    /// The daemon's process id.
    public var process: Int
    /// Seconds since it started.
    public var uptimeSeconds: Int
    /// The socket it listens on.
    public var socket: String
    /// The folder of the store.
    public var storePath: String
    /// The UUID of the store.
    public var store: String
    /// The version of the catalog.
    public var catalogVersion: Int
    /// The last change-sequence number.
    public var snapshot: Int64
    /// Live triplets.
    public var triplets: Int
    /// Triplets set aside because their bytes broke.
    public var quarantined: Int
    /// Categories known to the store.
    public var categories: Int
    /// Bytes of all packs.
    public var packBytes: Int
    /// The engine that backfills use unless they name one, and why.
    public var defaultEngine: String
    /// Jobs that are not finished.
    public var activeJobs: Int
    /// Items of those jobs that nobody holds.
    public var pendingItems: Int
    /// Items that a worker holds.
    public var leasedItems: Int
    /// Open connections.
    public var connections: Int
    /// Open streams.
    public var streams: Int
    /// Worker processes of the daemon's own.
    public var workers: [WorkerInfo]

    /// Creates an answer.
    public init(
      server: String, process: Int, uptimeSeconds: Int, socket: String, storePath: String,
      store: String, catalogVersion: Int, snapshot: Int64, triplets: Int, quarantined: Int,
      categories: Int, packBytes: Int, defaultEngine: String, activeJobs: Int, pendingItems: Int,
      leasedItems: Int, connections: Int, streams: Int, workers: [WorkerInfo]
    ) {
      self.server = server
      self.process = process
      self.uptimeSeconds = uptimeSeconds
      self.socket = socket
      self.storePath = storePath
      self.store = store
      self.catalogVersion = catalogVersion
      self.snapshot = snapshot
      self.triplets = triplets
      self.quarantined = quarantined
      self.categories = categories
      self.packBytes = packBytes
      self.defaultEngine = defaultEngine
      self.activeJobs = activeJobs
      self.pendingItems = pendingItems
      self.leasedItems = leasedItems
      self.connections = connections
      self.streams = streams
      self.workers = workers
    }
  }

  /// The name on the wire.
  public static let name = "status"
  /// A filled-in request.
  public static let exampleParams = Empty()
  /// A filled-in answer.
  public static let exampleResult = Result(
    server: "groundwelld 0.1.0", process: 4711, uptimeSeconds: 60,
    socket: "/run/user/1000/groundwell/groundwelld.sock", storePath: "/data/groundwell",
    store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", catalogVersion: 1, snapshot: 1042,
    triplets: 1000, quarantined: 0, categories: 24, packBytes: 9_000_000,
    defaultEngine: "scenes", activeJobs: 1, pendingItems: 12, leasedItems: 4, connections: 2,
    streams: 1, workers: [.example])
}

/// One worker process that the daemon spawned.
public struct WorkerInfo: Codable, Sendable, Equatable {
  /// Its slot, counted from 0.
  public var slot: Int
  /// `running`, `backing off` or `idle` (no process, because there is no work).
  public var state: String
  /// Its process id while it runs.
  public var process: Int?
  /// How often it ended unexpectedly.
  public var failures: Int
  /// How it last ended unexpectedly.
  public var lastError: String?

  /// Creates a description.
  public init(slot: Int, state: String, process: Int?, failures: Int, lastError: String?) {
    self.slot = slot
    self.state = state
    self.process = process
    self.failures = failures
    self.lastError = lastError
  }

  static let example = WorkerInfo(
    slot: 0, state: "running", process: 4712, failures: 1, lastError: "killed by signal 9")
}
