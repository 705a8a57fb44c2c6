#include "model/training/png_file.h"

#include <png.h>

#include "absl/strings/str_cat.h"

namespace groupmamba::training {

absl::Status WriteGrayPng(const std::string& path, int width, int height,
                          absl::Span<const uint8_t> pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_GRAY;
  if (png_image_write_to_file(&image, path.c_str(), /*convert_to_8_bit=*/0,
                              pixels.data(), /*row_stride=*/width,
                              /*colormap=*/nullptr) == 0) {
    return absl::UnavailableError(
        absl::StrCat(path, ": cannot be written: ", image.message));
  }
  return absl::OkStatus();
}

}  // namespace groupmamba::training
