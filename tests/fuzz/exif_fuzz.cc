// EXIF data: whatever the bytes, one of the eight orientations.

#include <cstdlib>

#include "model/image/exif.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int orientation = groupmamba::ReadExifOrientation({data, size});
  if (orientation < 1 || orientation > 8) std::abort();
  return 0;
}
