// Writing an 8-bit gray PNG file.

#ifndef GROUPMAMBA_MODEL_TRAINING_PNG_FILE_H_
#define GROUPMAMBA_MODEL_TRAINING_PNG_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace groupmamba::training {

// `pixels` holds width * height values, row by row. UNAVAILABLE: the file
// cannot be written.
absl::Status WriteGrayPng(const std::string& path, int width, int height,
                          absl::Span<const uint8_t> pixels);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_PNG_FILE_H_
