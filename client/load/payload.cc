#include "client/load/payload.h"

#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/connection.h"
#include "client/picture_files.h"
#include "client/text.h"

namespace groupmamba::client {

absl::StatusOr<Payload> FilePayload(const std::vector<std::string>& paths,
                                    const v1::ClassifyRequest& prototype,
                                    std::istream* standard_input) {
  Payload payload;
  size_t total = 0;
  for (const PictureFile& file : FindPictures(paths)) {
    absl::StatusOr<std::string> bytes =
        file.status.ok()
            ? ReadPicture(file.path, kMaxPictureBytes, standard_input)
            : file.status;
    if (!bytes.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(Printable(file.path), ": ", bytes.status().message()));
    }
    total += bytes->size();
    if (total > kMaxPayloadBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("the pictures take more than ", kMaxPayloadBytes >> 20,
                       " MiB together; name fewer, they are cycled anyway"));
    }
    auto request = std::make_shared<v1::ClassifyRequest>(prototype);
    request->set_encoded(*std::move(bytes));
    payload.push_back(std::move(request));
  }
  return payload;
}

absl::StatusOr<Payload> SyntheticPayload(absl::string_view size, uint64_t seed,
                                         const v1::ClassifyRequest& prototype) {
  const std::vector<absl::string_view> sides = absl::StrSplit(size, 'x');
  uint32_t width = 0;
  uint32_t height = 0;
  if (sides.size() != 2 || !absl::SimpleAtoi(sides[0], &width) ||
      !absl::SimpleAtoi(sides[1], &height) || width == 0 || height == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--synthetic: '", Printable(size),
        "' is no size; give WIDTHxHEIGHT in pixels, such as 224x224"));
  }
  // In 64 bits: two factors of 32 bits and 3 could pass the end only together.
  if (uint64_t{width} * height > kMaxPictureBytes / 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("--synthetic: ", Printable(size),
                     " pixels do not fit into a message of 32 MiB"));
  }
  std::mt19937_64 random(seed);
  std::string rgb;
  rgb.reserve(size_t{3} * width * height);
  for (uint32_t y = 0; y < height; ++y) {
    for (uint32_t x = 0; x < width; ++x) {
      const uint64_t noise = random();
      const uint32_t horizontal = 191 * x / width;
      const uint32_t vertical = 191 * y / height;
      rgb.push_back(static_cast<char>(horizontal + (noise & 63)));
      rgb.push_back(static_cast<char>(vertical + ((noise >> 8) & 63)));
      rgb.push_back(static_cast<char>((horizontal + vertical) / 2 +
                                      ((noise >> 16) & 63)));
    }
  }
  auto request = std::make_shared<v1::ClassifyRequest>(prototype);
  request->mutable_raw()->set_width(width);
  request->mutable_raw()->set_height(height);
  request->mutable_raw()->set_rgb(std::move(rgb));
  return Payload{std::move(request)};
}

}  // namespace groupmamba::client
