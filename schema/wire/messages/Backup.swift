/// Copies the store as it is at one moment into a folder of its own, while everything goes on.
///
/// The folder must not be there, and its parent must be; it gets its name when all of it is on the
/// disk. `groundwelld --restore` makes a store of it. One at a time, and not beside a compaction;
/// reports `done_bytes` of `total_bytes` as it goes.
public enum Backup: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The folder to make, an absolute path on the daemon's machine.
    public var directory: String

    /// Creates parameters.
    public init(directory: String) { self.directory = directory }
  }

  /// What the daemon answers; the same stands in the folder's `backup.json`.
  public struct Result: Codable, Sendable, Equatable {
    /// The version of the layout of the folder.
    public var version: Int
    /// The UUID of the store.
    public var store: String
    /// The version of its catalog.
    public var catalogVersion: Int
    /// The last change-sequence number in the copy.
    public var snapshot: Int64
    /// Live triplets.
    public var triplets: Int
    /// When it was finished, in microseconds since 1970.
    public var createdMicroseconds: Int64
    /// The copied files.
    public var files: [File]

    /// Creates an answer.
    public init(
      version: Int, store: String, catalogVersion: Int, snapshot: Int64, triplets: Int,
      createdMicroseconds: Int64, files: [File]
    ) {
      self.version = version
      self.store = store
      self.catalogVersion = catalogVersion
      self.snapshot = snapshot
      self.triplets = triplets
      self.createdMicroseconds = createdMicroseconds
      self.files = files
    }

    /// Bytes of all files.
    public var bytes: Int { files.reduce(0) { $0 &+ $1.bytes } }
  }

  /// One file of a backup.
  public struct File: Codable, Sendable, Equatable {
    /// Its path in the folder.
    public var path: String
    /// Its length.
    public var bytes: Int
    /// XXH3-64 of its bytes, in hexadecimal.
    public var checksum: String

    /// Creates a description.
    public init(path: String, bytes: Int, checksum: String) {
      self.path = path
      self.bytes = bytes
      self.checksum = checksum
    }
  }

  /// The version of the layout of the folder.
  public static let version = 1
  /// The name of the file that describes a backup, and is written last.
  public static let fileName = "backup.json"
  /// The name on the wire.
  public static let name = "store.backup"
  /// A filled-in request.
  public static let exampleParams = Params(directory: "/backup/groundwell-monday")
  /// A filled-in answer.
  public static let exampleResult = Result(
    version: 1, store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", catalogVersion: 2, snapshot: 1042,
    triplets: 1000, createdMicroseconds: 1_700_000_000_000_000,
    files: [
      File(path: "catalog.sqlite", bytes: 1_200_000, checksum: "0123456789abcdef"),
      File(path: "packs/000001.pack", bytes: 9_000_000, checksum: "fedcba9876543210"),
    ])
}
