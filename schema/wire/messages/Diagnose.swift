/// Tells what a person who looks after the daemon wants to know: libraries, limits, space.
public enum Diagnose: Method {
  /// Takes nothing.
  public typealias Params = Empty

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The version of SQLite that holds the catalog.
    public var sqlite: String
    /// The version of LZ4 that compresses blobs.
    public var lz4: String
    /// The version of xxHash that checks them.
    public var xxhash: String
    /// Bytes of memory that the daemon holds, shared memory of batches included.
    public var residentBytes: Int
    /// Descriptors that it has open.
    public var openDescriptors: Int
    /// Descriptors that it may have open.
    public var maximumDescriptors: Int
    /// Bytes of memory that it may lock.
    public var maximumLockedBytes: Int
    /// Bytes left on the file system of the store.
    public var storeFreeBytes: Int
    /// Bytes of that file system.
    public var storeTotalBytes: Int
    /// Bytes of packs and catalog.
    public var storeBytes: Int
    /// Bytes that these may take; 0 for any number.
    public var maximumStoreBytes: Int
    /// Bytes that must stay free on that file system; 0 for none.
    public var minimumFreeBytes: Int
    /// Why the store takes no more triplets; absent when it does.
    public var full: String?
    /// Bytes of packs that compaction can give back.
    public var deadBytes: Int
    /// Bytes of the catalog's write-ahead log.
    public var walBytes: Int
    /// Bytes of shared memory that clients' slots take.
    public var slotBytes: Int
    /// Bytes of shared memory that they may take.
    public var maximumSlotBytes: Int
    /// Why the store refuses every change until the daemon is started again; absent when it does not.
    public var refusal: String?
    /// The configuration file that was read; absent when there is none.
    public var configuration: String?
    /// Where figures are served; absent when they are not.
    public var metrics: String?
    /// Whether a service manager is told how the daemon is.
    public var supervised: Bool
    /// Seconds without a sign of life after which that manager starts it again; absent without.
    public var watchdogSeconds: Int?

    /// Creates an answer.
    public init(
      sqlite: String, lz4: String, xxhash: String, residentBytes: Int, openDescriptors: Int,
      maximumDescriptors: Int, maximumLockedBytes: Int, storeFreeBytes: Int, storeTotalBytes: Int,
      storeBytes: Int, maximumStoreBytes: Int, minimumFreeBytes: Int, full: String?,
      deadBytes: Int, walBytes: Int, slotBytes: Int, maximumSlotBytes: Int, refusal: String?,
      configuration: String?, metrics: String?, supervised: Bool, watchdogSeconds: Int?
    ) {
      self.sqlite = sqlite
      self.lz4 = lz4
      self.xxhash = xxhash
      self.residentBytes = residentBytes
      self.openDescriptors = openDescriptors
      self.maximumDescriptors = maximumDescriptors
      self.maximumLockedBytes = maximumLockedBytes
      self.storeFreeBytes = storeFreeBytes
      self.storeTotalBytes = storeTotalBytes
      self.storeBytes = storeBytes
      self.maximumStoreBytes = maximumStoreBytes
      self.minimumFreeBytes = minimumFreeBytes
      self.full = full
      self.deadBytes = deadBytes
      self.walBytes = walBytes
      self.slotBytes = slotBytes
      self.maximumSlotBytes = maximumSlotBytes
      self.refusal = refusal
      self.configuration = configuration
      self.metrics = metrics
      self.supervised = supervised
      self.watchdogSeconds = watchdogSeconds
    }
  }

  /// The name on the wire.
  public static let name = "diagnose"
  /// A filled-in request.
  public static let exampleParams = Empty()
  /// A filled-in answer.
  public static let exampleResult = Result(
    sqlite: "3.40.1", lz4: "1.9.4", xxhash: "0.8.1", residentBytes: 90_000_000,
    openDescriptors: 40, maximumDescriptors: 1_048_576, maximumLockedBytes: 8_388_608,
    storeFreeBytes: 60_000_000_000, storeTotalBytes: 250_000_000_000,
    storeBytes: 9_000_000_000, maximumStoreBytes: 10_000_000_000,
    minimumFreeBytes: 268_435_456, full: "the store takes 9000000000 bytes",
    deadBytes: 40_000_000, walBytes: 4_000_000, slotBytes: 100_000_000,
    maximumSlotBytes: 17_179_869_184,
    refusal: "000001.pack: fdatasync failed: Input/output error (5)",
    configuration: "/etc/groundwell/groundwelld.toml", metrics: "http://127.0.0.1:9477/metrics",
    supervised: true, watchdogSeconds: 60)
}
