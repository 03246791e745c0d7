import Foundation
import Imaging
import Schema

/// Pictures that a command leaves behind.
enum PictureFile {
  /// Draws a picture and writes it as a PNG.
  static func write(
    to path: String, _ draw: () throws(ImagingError) -> RGBImage
  ) throws(ClientError) {
    do throws(ImagingError) {
      try PNG.write(try draw(), to: path)
    } catch {
      let cause = error.cause.map { ": \($0.localizedDescription)" } ?? ""
      throw ClientError(.failed, error.message + cause)
    }
  }
}
