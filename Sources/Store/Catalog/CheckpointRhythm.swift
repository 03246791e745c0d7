import GRDB

/// When the catalog's log is moved into the file: before it is long, and not at every commit.
///
/// SQLite does not tell how long the log is without a checkpoint, so each checkpoint measures how many
/// pages a changed row costs, and the next is due when the rows changed since should have filled the log.
struct CheckpointRhythm {
  /// Pages of 4 KiB that the log may have.
  static let logPages = 4096

  private var changesBefore = 0
  private var pagesPerChange = 1.0

  /// Checkpoints when it is time.
  mutating func moveWhenDue(_ catalog: Catalog) {
    do {
      let changes = try catalog.queue.read { db in db.totalChangesCount }
      let count = changes - changesBefore
      guard Double(count) * pagesPerChange >= Double(Self.logPages) else { return }
      changesBefore = changes
      pagesPerChange = max(Double(try catalog.checkpoint()) / Double(count), 0.01)
    } catch {
      // The log keeps everything, and only grows; after as many changes again the next try comes.
    }
  }
}
