import Testing

@testable import Generator

/// Every kernel of the table against its textbook definition.
@Suite struct KernelCaseTests {
  @Test("kernels agree with their textbook definitions", arguments: KernelCase.small.indices)
  func agrees(index: Int) {
    let kernel = KernelCase.small[index]
    var results: [[Float]] = []
    for threads in [1, 3] {
      let inputs = kernel.inputs(Workspace(threadCount: threads))
      let values = kernel.kernel(inputs)().values
      let error = relativeError(values, kernel.naive(inputs).map { Float($0) })
      #expect(error <= kernel.tolerance, "\(kernel.name): relative error \(error)")
      results.append(values)
    }
    #expect(relativeError(results[0], results[1]) <= 1e-6, "\(kernel.name): threads change it")
  }

  @Test("half precision is widened exactly: normals, denormals, zeros, infinities")
  func halfPrecision() {
    let halves = (0...UInt16.max).filter { !Float16(bitPattern: $0).isNaN }
    let workspace = Workspace(threadCount: 1)
    let memory = Weight.Memory(bytes: halves.count * 2)
    // Safe: the memory was made for these bytes.
    unsafe halves.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress {
        unsafe memory.pointer.copyMemory(from: base, byteCount: bytes.count)
      }
    }
    let weight = Weight(shape: [halves.count], kind: .float16, source: .memory(memory))
    let widened = weight.tensor(workspace).values
    #expect(zip(widened, halves).allSatisfy { $0 == Float(Float16(bitPattern: $1)) })
    #expect(widened.count == halves.count)
  }
}
