private import CLZ4
private import CXXHash
import GRDB

extension TripletStore {
  /// The versions of the libraries that hold the data.
  public func libraryVersions() throws(StoreError) -> (sqlite: String, lz4: String, xxhash: String)
  {
    let sqlite = try read("the version of SQLite") { db in
      try String.fetchOne(db, sql: "SELECT sqlite_version()")
    }
    // Safe: the library's own constant text.
    let lz4 = unsafe LZ4_versionString().map { unsafe String(cString: $0) }
    let number = XXH_versionNumber()
    return (
      sqlite ?? "", lz4 ?? "", "\(number / 10_000).\(number / 100 % 100).\(number % 100)"
    )
  }

  /// Why every change is refused until the store is opened again; nil when changes are taken.
  public var refusal: String? { failure?.message }
}
