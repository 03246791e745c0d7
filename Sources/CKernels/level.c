// Which machine level the kernels run at.
#include <stdatomic.h>
#include "include/ckernels.h"

static int supported(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return GW_AVX512;
  if (__builtin_cpu_supports("x86-64-v3")) return GW_AVX2;
#endif
  return GW_BASELINE;
}

// -1 until it is first asked for. Threads that ask at once find the same answer.
static atomic_int current = -1;

int gw_level(void) {
  int level = atomic_load_explicit(&current, memory_order_relaxed);
  if (level < 0) {
    level = supported();
    atomic_store_explicit(&current, level, memory_order_relaxed);
  }
  return level;
}

int gw_limit_level(int most) {
  int level = supported();
  if (most < level) level = most < GW_BASELINE ? GW_BASELINE : most;
  atomic_store_explicit(&current, level, memory_order_relaxed);
  return level;
}
