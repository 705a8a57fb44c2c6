#include "client/load/payload.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "client/connection.h"
#include "client/load/synthetic.h"
#include "client/picture_files.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

absl::Status TooLarge() {
  return absl::InvalidArgumentError(
      absl::StrCat("the pictures take more than ", kMaxPayloadBytes >> 20,
                   " MiB together; name fewer, they are cycled anyway"));
}

struct Size {
  uint32_t width = 0;
  uint32_t height = 0;
};

absl::StatusOr<Size> ParseSize(absl::string_view text) {
  const std::vector<absl::string_view> sides = absl::StrSplit(text, 'x');
  Size size;
  if (sides.size() != 2 || !absl::SimpleAtoi(sides[0], &size.width) ||
      !absl::SimpleAtoi(sides[1], &size.height) || size.width == 0 ||
      size.height == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--synthetic: '", Printable(text),
        "' is no size; give WIDTHxHEIGHT in pixels, such as 640x480"));
  }
  return size;
}

// Whether a picture of that size can be sent; in 64 bits, where two sides of 32
// cannot overflow.
absl::Status CheckSize(const Size& size, SyntheticForm form) {
  constexpr uint32_t kJpegSide = 65500;
  constexpr uint64_t kJpegPixels = 50'000'000;
  const uint64_t pixels = uint64_t{size.width} * size.height;
  const bool fits = form == SyntheticForm::kRaw
                        ? pixels <= kMaxPictureBytes / 3
                        : pixels <= kJpegPixels && size.width <= kJpegSide &&
                              size.height <= kJpegSide;
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--synthetic: ", size.width, "x", size.height, " pixels ",
                   form == SyntheticForm::kRaw
                       ? "do not fit into a message of 32 MiB"
                       : "do not fit into a picture of 50 million pixels"));
}

}  // namespace

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
    if (total > kMaxPayloadBytes) return TooLarge();
    auto request = std::make_shared<v1::ClassifyRequest>(prototype);
    request->set_encoded(*std::move(bytes));
    payload.push_back(std::move(request));
  }
  return payload;
}

absl::StatusOr<Payload> SyntheticPayload(absl::string_view sizes,
                                         SyntheticForm form, uint64_t seed,
                                         const v1::ClassifyRequest& prototype) {
  Payload payload;
  size_t total = 0;
  for (const absl::string_view text : absl::StrSplit(sizes, ',')) {
    GM_ASSIGN_OR_RETURN(const Size size, ParseSize(text));
    GM_RETURN_IF_ERROR(CheckSize(size, form));
    std::string bytes = MakePixels(size.width, size.height, seed);
    auto request = std::make_shared<v1::ClassifyRequest>(prototype);
    if (form == SyntheticForm::kRaw) {
      request->mutable_raw()->set_width(size.width);
      request->mutable_raw()->set_height(size.height);
      request->mutable_raw()->set_rgb(std::move(bytes));
    } else {
      request->set_encoded(EncodeJpeg(bytes, size.width, size.height));
    }
    total += request->ByteSizeLong();
    if (total > kMaxPayloadBytes) return TooLarge();
    payload.push_back(std::move(request));
  }
  return payload;
}

}  // namespace groupmamba::client
