import Foundation

/// The system's sentence for an error number, such as "Permission denied (13)".
package func systemReason(_ number: Int32) -> String {
  // Safe: the text is copied into a String before another call can change it.
  let text = unsafe String(cString: strerror(number))
  return "\(text) (\(number))"
}
