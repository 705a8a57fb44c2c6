#include "model/training/tar.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/file.h"

namespace groupmamba::training {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kMaxExtendedBytes = 64 << 10;

using Block = std::array<char, kBlock>;

// Fields of a header: where they begin, how long they are.
struct Field {
  size_t offset;
  size_t size;
};
constexpr Field kName = {0, 100};
constexpr Field kSize = {124, 12};
constexpr Field kChecksum = {148, 8};
constexpr Field kType = {156, 1};
constexpr Field kMagic = {257, 5};
constexpr Field kPrefix = {345, 155};

absl::string_view Get(const Block& block, Field field) {
  return {block.data() + field.offset, field.size};
}

// Up to the first NUL.
absl::string_view Text(const Block& block, Field field) {
  const absl::string_view whole = Get(block, field);
  return whole.substr(0, whole.find('\0'));
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// Octal digits, spaces around them, up to a NUL.
absl::StatusOr<int64_t> Octal(const Block& block, Field field) {
  const absl::string_view digits =
      absl::StripAsciiWhitespace(Text(block, field));
  int64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '7') return Wrong("a number is not octal");
    value = value * 8 + (digit - '0');  // 12 digits at most: 36 bits
  }
  return digits.empty() ? absl::StatusOr<int64_t>(Wrong("a number is missing"))
                        : value;
}

// The sum of the header's bytes, its own field taken as spaces.
absl::Status CheckSum(const Block& block) {
  GM_ASSIGN_OR_RETURN(const int64_t expected, Octal(block, kChecksum));
  int64_t sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool own =
        i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += own ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum == expected ? absl::OkStatus() : Wrong("wrong checksum");
}

absl::StatusOr<std::string> NameOf(const Block& block) {
  std::string name(Text(block, kName));
  // GNU tar keeps other things where ustar has the prefix.
  const bool ustar = block[kMagic.offset + kMagic.size] == '\0';
  if (ustar && block[kPrefix.offset] != '\0') {
    name = absl::StrCat(Text(block, kPrefix), "/", name);
  }
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (name.empty() || std::any_of(name.begin(), name.end(), control)) {
    return Wrong("a name is empty or has control characters");
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  if (name.front() == '/' ||
      std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    return Wrong("a name leads out of the archive");
  }
  return name;
}

// Records "<length> <key>=<value>\n" one after the other.
absl::Status CheckExtended(absl::string_view records) {
  while (!records.empty()) {
    const size_t space = records.find(' ');
    uint32_t length = 0;
    if (space == records.npos ||
        !absl::SimpleAtoi(records.substr(0, space), &length) ||
        length <= space + 1 || length > records.size()) {
      return Wrong("an extended header cannot be read");
    }
    const absl::string_view record =
        records.substr(space + 1, length - space - 1);
    const size_t equals = record.find('=');
    if (equals == record.npos || record.back() != '\n') {
      return Wrong("an extended header cannot be read");
    }
    const absl::string_view key = record.substr(0, equals);
    if (key == "path" || key == "size" || absl::StartsWith(key, "GNU.")) {
      return Wrong("a long name or size; write shards with --format=ustar");
    }
    records.remove_prefix(length);
  }
  return absl::OkStatus();
}

class Lister {
 public:
  Lister(std::istream* file, const TarLimits& limits)
      : file_(file), limits_(limits) {
    file_->seekg(0, std::ios::end);
    end_ = file_->tellg();
  }

  // Of the header that is read: for messages.
  int64_t place() const { return place_; }

  absl::StatusOr<std::vector<TarMember>> List() {
    std::vector<TarMember> members;
    while (true) {
      Block block;
      GM_RETURN_IF_ERROR(Read(place_, block.data(), kBlock));
      if (std::all_of(block.begin(), block.end(),
                      [](char byte) { return byte == '\0'; })) {
        return members;
      }
      GM_RETURN_IF_ERROR(CheckSum(block));
      if (Get(block, kMagic) != "ustar") return Wrong("not a ustar header");
      GM_ASSIGN_OR_RETURN(const int64_t size, SizeOf(block));
      GM_RETURN_IF_ERROR(Take(block, size, &members));
      place_ += kBlock + (size + kBlock - 1) / kBlock * kBlock;
    }
  }

 private:
  absl::StatusOr<int64_t> SizeOf(const Block& block) const {
    if ((static_cast<unsigned char>(block[kSize.offset]) & 0x80) != 0) {
      return Wrong("a size of more than 8 GiB");
    }
    GM_ASSIGN_OR_RETURN(const int64_t size, Octal(block, kSize));
    if (size > limits_.max_member_bytes) {
      return Wrong(absl::StrCat("a member of ", size, " bytes; at most ",
                                limits_.max_member_bytes, " are read"));
    }
    return size > end_ - place_ - kBlock
               ? absl::StatusOr<int64_t>(Wrong("truncated"))
               : size;
  }

  // Adds the member whose header this is, if it is a file.
  absl::Status Take(const Block& block, int64_t size,
                    std::vector<TarMember>* members) {
    switch (Get(block, kType).front()) {
      case '0':
      case '\0':
        break;
      case '5':  // a folder
        return absl::OkStatus();
      case 'x':
      case 'g':
        return TakeExtended(size);
      default:
        return Wrong(
            "neither a file nor a folder; write shards with --format=ustar");
    }
    if (static_cast<int64_t>(members->size()) == limits_.max_members) {
      return Wrong("too many members");
    }
    GM_ASSIGN_OR_RETURN(std::string name, NameOf(block));
    members->push_back({std::move(name), place_ + kBlock, size});
    return absl::OkStatus();
  }

  absl::Status TakeExtended(int64_t size) {
    if (size > kMaxExtendedBytes) return Wrong("an extended header too long");
    std::string records(size, '\0');
    GM_RETURN_IF_ERROR(Read(place_ + kBlock, records.data(), size));
    return CheckExtended(records);
  }

  absl::Status Read(int64_t offset, char* to, int64_t size) {
    file_->seekg(offset);
    return file_->read(to, size) ? absl::OkStatus() : Wrong("truncated");
  }

  std::istream* const file_;
  const TarLimits limits_;
  int64_t end_ = 0;    // of the file
  int64_t place_ = 0;  // of the next header
};

}  // namespace

absl::StatusOr<std::vector<TarMember>> ListTar(std::istream* tar,
                                               const TarLimits& limits) {
  Lister lister(tar, limits);
  absl::StatusOr<std::vector<TarMember>> members = lister.List();
  if (members.ok()) return members;
  return absl::Status(members.status().code(),
                      absl::StrCat("at byte ", lister.place(), ": ",
                                   members.status().message()));
}

absl::StatusOr<std::vector<TarMember>> ListTar(const std::string& path,
                                               const TarLimits& limits) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  }
  absl::StatusOr<std::vector<TarMember>> members = ListTar(&file, limits);
  if (members.ok()) return members;
  return InFile(path, members.status());
}

absl::StatusOr<std::vector<uint8_t>> ReadMember(const std::string& path,
                                                const TarMember& member,
                                                int64_t max_bytes) {
  if (member.size > max_bytes) {
    return Wrong(
        absl::StrCat(member.size, " bytes; at most ", max_bytes, " are read"));
  }
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> bytes(member.size);
  file.seekg(member.offset);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), member.size)) {
    return Wrong("its shard cannot be read any more");
  }
  return bytes;
}

}  // namespace groupmamba::training
