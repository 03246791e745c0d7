// The streaming softmax of attention (Milakov and Gimelshein 2018; Dao et al. 2022).
#include <math.h>
#include "include/ckernels.h"
#include "simd.h"

GW_KERNEL(void, gw_softmax_block,
          (float *scores, long ld, long rows, long keys, int causal, long keysOfFirstRow,
           float scale, float *maximum, float *sum, float *out, long ldo, long depth),
          (scores, ld, rows, keys, causal, keysOfFirstRow, scale, maximum, sum, out, ldo,
           depth)) {
  for (long r = 0; r < rows; r++) {
    float *s = scores + r * ld;
    long seen = keys;
    if (causal && keysOfFirstRow + r < keys) seen = keysOfFirstRow + r < 0 ? 0 : keysOfFirstRow + r;
    long whole = seen / 16 * 16;
    float top = -INFINITY;
    v16 best = GW_SPLAT(-INFINITY);
    for (long k = 0; k < whole; k += 16) {
      v16 x = GW_LOAD(s + k);
      best = GW_SELECT(x > best, x, best);
    }
    for (int j = 0; j < 16; j++) top = best[j] > top ? best[j] : top;
    for (long k = whole; k < seen; k++) top = s[k] > top ? s[k] : top;
    top *= scale;
    if (seen == 0 || top < maximum[r]) top = maximum[r];
    v16 total = {};
    for (long k = 0; k < whole; k += 16) {
      v16 e;
      GW_EXP(e, GW_LOAD(s + k) * scale - top);
      GW_STORE(s + k, e);
      total += e;
    }
    float added = 0;
    for (int j = 0; j < 16; j++) added += total[j];
    for (long k = whole; k < seen; k++) {
      s[k] = gw_exp1(s[k] * scale - top);
      added += s[k];
    }
    for (long k = seen; k < keys; k++) s[k] = 0;
    float keep = 0;
    if (maximum[r] != -INFINITY) keep = maximum[r] == top ? 1 : gw_exp1(maximum[r] - top);
    maximum[r] = top;
    sum[r] = sum[r] * keep + added;
    if (keep != 1) {
      float *o = out + r * ldo;
      for (long d = 0; d < depth; d++) o[d] *= keep;
    }
  }
}
