#include "model/training/event_file.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "model/training/event_file.pb.h"
#include "model/training/run_folder.h"

namespace groupmamba::training {
namespace {

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    }
    table[byte] = crc;
  }
  return table;
}

std::string LittleEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text.push_back(static_cast<char>(value >> (8 * i)));
  }
  return text;
}

// So that the CRC of bytes that hold CRCs is not a weak one.
uint32_t MaskedCrc(absl::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

absl::Status Append(const std::string& path, tensorboard::Event event) {
  event.set_wall_time(static_cast<double>(absl::GetCurrentTimeNanos()) * 1e-9);
  return AppendWhole(path, FrameRecord(event.SerializeAsString()));
}

}  // namespace

uint32_t Crc32c(absl::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = MakeCrcTable();
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  }
  return ~crc;
}

std::string FrameRecord(absl::string_view bytes) {
  const std::string length = LittleEndian(bytes.size(), 8);
  return absl::StrCat(length, LittleEndian(MaskedCrc(length), 4), bytes,
                      LittleEndian(MaskedCrc(bytes), 4));
}

absl::StatusOr<std::unique_ptr<EventFile>> EventFile::Create(
    const std::string& folder, int64_t steps) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(folder, ": cannot be created: ", error.message()));
  }
  // TensorBoard reads a folder's files in the order of their names.
  std::unique_ptr<EventFile> file(
      new EventFile(absl::StrCat(folder, "/events.out.tfevents.",
                                 absl::GetCurrentTimeNanos(), ".", getpid())));
  tensorboard::Event version;
  version.set_file_version("brain.Event:2");
  GM_RETURN_IF_ERROR(Append(file->path_, version));
  tensorboard::Event start;
  start.set_step(steps + 1);
  start.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  GM_RETURN_IF_ERROR(Append(file->path_, start));
  return file;
}

EventFile::EventFile(std::string path) : path_(std::move(path)) {}

absl::Status EventFile::Write(int64_t step,
                              const std::vector<Scalar>& scalars) {
  tensorboard::Event event;
  event.set_step(step);
  for (const Scalar& scalar : scalars) {
    tensorboard::Summary::Value* value = event.mutable_summary()->add_value();
    value->set_tag(scalar.tag);
    value->set_simple_value(static_cast<float>(scalar.value));
  }
  return Append(path_, event);
}

}  // namespace groupmamba::training
