// The outline of a PNG or WebP file: its chunks, walked without a codec and
// without an allocation, so that what the file claims can be refused before a
// library sees it. Private to model/image.

#ifndef GROUPMAMBA_MODEL_IMAGE_CONTAINER_H_
#define GROUPMAMBA_MODEL_IMAGE_CONTAINER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace groupmamba {

struct ImageOutline {
  uint32_t width = 0;  // pixels, as a PNG claims; WebP's are left to libwebp
  uint32_t height = 0;
  size_t size = 0;  // bytes of the file proper; what follows is not part of it
  bool animated = false;
  absl::Span<const uint8_t> exif;  // empty: none. Points into the file.
};

// Errors: truncated, corrupt, too_complex (more than `max_chunks`).
absl::StatusOr<ImageOutline> OutlinePng(absl::Span<const uint8_t> bytes,
                                        int max_chunks);
absl::StatusOr<ImageOutline> OutlineWebp(absl::Span<const uint8_t> bytes,
                                         int max_chunks);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_CONTAINER_H_
