#include "model/convert/stored_zip.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

using Bytes = absl::Span<const uint8_t>;

static_assert(std::endian::native == std::endian::little,
              "numbers are used as the file has them");

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kMaxFileBytes = uint64_t{4} << 30;
constexpr int kMaxEntries = 60'000;
constexpr uint16_t kEncrypted = 1;  // of the flags

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

template <typename... Parts>
absl::Status InEntry(absl::string_view name, const Parts&... parts) {
  return Invalid("zip entry ", QuoteForMessage(name), " ", parts...);
}

// The caller has seen that they are there.
template <typename T>
T NumberAt(Bytes bytes, uint64_t offset) {
  T number;
  std::memcpy(&number, bytes.data() + offset, sizeof(T));
  return number;
}

std::string TextAt(Bytes bytes, uint64_t offset, uint64_t length) {
  return std::string(reinterpret_cast<const char*>(bytes.data() + offset),
                     length);
}

// Whether `length` bytes from `offset` are there.
bool Holds(Bytes bytes, uint64_t offset, uint64_t length) {
  return offset <= bytes.size() && length <= bytes.size() - offset;
}

// What the central directory says of an entry.
struct Listed {
  std::string name;
  uint64_t size = 0;
  uint64_t offset = 0;  // of its local header
  uint32_t crc = 0;
};

// Where an entry lies, its header included.
struct Place {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Takes one entry off the directory's front.
absl::StatusOr<Listed> TakeListed(Bytes* directory) {
  const Bytes d = *directory;
  if (!Holds(d, 0, kCentralBytes) ||
      NumberAt<uint32_t>(d, 0) != kCentralSignature) {
    return Invalid("the zip archive's directory is damaged");
  }
  const uint64_t name_bytes = NumberAt<uint16_t>(d, 28);
  const uint64_t all = kCentralBytes + name_bytes + NumberAt<uint16_t>(d, 30) +
                       NumberAt<uint16_t>(d, 32);
  if (!Holds(d, 0, all)) {
    return Invalid("the zip archive's directory is damaged");
  }
  Listed entry = {.name = TextAt(d, kCentralBytes, name_bytes),
                  .size = NumberAt<uint32_t>(d, 24),
                  .offset = NumberAt<uint32_t>(d, 42),
                  .crc = NumberAt<uint32_t>(d, 16)};
  if ((NumberAt<uint16_t>(d, 8) & kEncrypted) != 0) {
    return InEntry(entry.name, "is encrypted");
  }
  if (NumberAt<uint16_t>(d, 10) != 0 ||
      NumberAt<uint32_t>(d, 20) != entry.size) {
    return InEntry(entry.name,
                   "is compressed; PyTorch stores entries as they are");
  }
  *directory = d.subspan(all);
  return entry;
}

// The entry's bytes; `file` ends where the directory begins.
absl::StatusOr<Bytes> Locate(const Listed& entry, Bytes file, Place* place) {
  const uint64_t at = entry.offset;
  if (!Holds(file, at, kLocalBytes) ||
      NumberAt<uint32_t>(file, at) != kLocalSignature) {
    return InEntry(entry.name, "is not where the directory says");
  }
  const uint64_t name_bytes = NumberAt<uint16_t>(file, at + 26);
  const uint64_t begin =
      at + kLocalBytes + name_bytes + NumberAt<uint16_t>(file, at + 28);
  if (!Holds(file, begin, entry.size)) {
    return InEntry(entry.name, "reaches beyond the end of the entries");
  }
  if (TextAt(file, at + kLocalBytes, name_bytes) != entry.name) {
    return InEntry(entry.name, "has another name in its own header");
  }
  *place = {at, begin + entry.size};
  const Bytes bytes = file.subspan(begin, entry.size);
  if (crc32_z(0, bytes.data(), bytes.size()) != entry.crc) {
    return InEntry(entry.name, "is damaged: its CRC-32 is another");
  }
  return bytes;
}

absl::Status CheckApart(std::vector<Place> places) {
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < places.size(); ++i) {
    if (places[i].begin < places[i - 1].end) {
      return Invalid("entries of the zip archive overlap");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ZipEntries> ReadStoredZip(Bytes file) {
  if (file.size() > kMaxFileBytes) {
    return Invalid("a zip archive of more than ", kMaxFileBytes, " bytes");
  }
  if (file.size() < kEndBytes ||
      NumberAt<uint32_t>(file, file.size() - kEndBytes) != kEndSignature) {
    return Invalid("the zip archive is cut off, or has bytes behind its end");
  }
  const Bytes end = file.last(kEndBytes);
  const int count = NumberAt<uint16_t>(end, 10);
  const uint64_t directory_bytes = NumberAt<uint32_t>(end, 12);
  const uint64_t directory_at = NumberAt<uint32_t>(end, 16);
  if (count > kMaxEntries) {
    return Invalid("a zip archive of more than ", kMaxEntries, " entries");
  }
  if (!Holds(file.first(file.size() - kEndBytes), directory_at,
             directory_bytes)) {
    return Invalid("the zip archive's directory is not in the file");
  }
  Bytes directory = file.subspan(directory_at, directory_bytes);
  ZipEntries entries;
  std::vector<Place> places(count);
  for (Place& place : places) {
    GM_ASSIGN_OR_RETURN(const Listed entry, TakeListed(&directory));
    GM_ASSIGN_OR_RETURN(const Bytes bytes,
                        Locate(entry, file.first(directory_at), &place));
    if (!entries.emplace(entry.name, bytes).second) {
      return InEntry(entry.name, "is there twice");
    }
  }
  if (!directory.empty()) {
    return Invalid("the zip archive's directory lists more than it counts");
  }
  GM_RETURN_IF_ERROR(CheckApart(std::move(places)));
  return entries;
}

}  // namespace groupmamba
