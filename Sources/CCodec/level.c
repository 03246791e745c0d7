// Which machine level the kernels run at.
#include <stdatomic.h>
#include "include/ccodec.h"

static int supported(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return GC_AVX512;
  if (__builtin_cpu_supports("avx2")) return GC_AVX2;
#endif
  return GC_BASELINE;
}

// -1 until it is first asked for. Threads that ask at once find the same answer.
static atomic_int current = -1;

int gc_level(void) {
  int level = atomic_load_explicit(&current, memory_order_relaxed);
  if (level < 0) {
    level = supported();
    atomic_store_explicit(&current, level, memory_order_relaxed);
  }
  return level;
}

int gc_limit_level(int most) {
  int level = supported();
  if (most < level) level = most < GC_BASELINE ? GC_BASELINE : most;
  atomic_store_explicit(&current, level, memory_order_relaxed);
  return level;
}
