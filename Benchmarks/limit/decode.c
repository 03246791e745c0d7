// Decodes blobs one after the other into the places of a batch, for show_limit.py: the loop is here
// and not in Python, so that nothing but the codec is measured.
#include "ccodec.h"

// Decodes `count` images, from `first` on and around the end of the list, into `batch`; returns 0
// when all were whole.
int decode_batch(const uint8_t *const *payloads, const long *bytes, long blobs, long first,
                 long count, long side, uint8_t *batch) {
  int failed = 0;
  long bands = gc_band_count(side, side);
  for (long i = 0; i < count; i++) {
    long blob = (first + i) % blobs;
    failed |= gc_decode_image(payloads[blob], bytes[blob], side, side, 0, bands, 0,
                              batch + i * side * side * 3);
  }
  return failed;
}
