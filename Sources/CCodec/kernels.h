// What the decoder asks of the kernels.
#ifndef GC_KERNELS_H
#define GC_KERNELS_H
#include "band.h"

// Bit planes of a band to pixels; `flags` holds GC_VERTICAL, GC_HORIZONTAL or both.
void gc_restore_band(const gc_band *band, int flags);
// Bit planes whose even and odd rows and columns lie apart to the usual order; `groups` is even.
void gc_join_phases(const uint8_t *apart, long groups, long width, uint8_t *planes);
#endif
