#include "model/training/run_log.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/training/run_folder.h"
#include "nlohmann/json.hpp"

namespace groupmamba::training {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMaxLogBytes = int64_t{1} << 30;

// Numbers by the path of their names, "seconds/data".
void CollectScalars(const std::string& prefix, const Json& object,
                    std::vector<Scalar>* scalars) {
  for (const auto& [key, value] : object.items()) {
    const std::string tag = absl::StrCat(prefix, "/", key);
    if (value.is_object()) {
      CollectScalars(tag, value, scalars);
    } else if (value.is_number() && key != "step") {
      scalars->push_back({tag, value.get<double>()});
    }
  }
}

absl::Status KeepLinesUpTo(int64_t steps, const std::string& path) {
  GM_ASSIGN_OR_RETURN(const std::vector<Json> lines, ReadRunLog(path));
  std::string kept;
  for (const Json& line : lines) {
    if (line.value("step", int64_t{0}) <= steps) {
      absl::StrAppend(&kept, line.dump(), "\n");
    }
  }
  return WriteFileAtomically(path, kept);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunLog>> RunLog::Open(const std::string& folder,
                                                     int64_t steps,
                                                     bool tensorboard) {
  const std::string path = absl::StrCat(folder, "/", kLogFile);
  const std::string events_folder =
      absl::StrCat(folder, "/", kTensorBoardFolder);
  std::error_code ignored;  // what is not there need not go
  if (steps == 0) {
    std::filesystem::remove(path, ignored);
    std::filesystem::remove_all(events_folder, ignored);
  } else if (std::filesystem::exists(path, ignored)) {
    GM_RETURN_IF_ERROR(KeepLinesUpTo(steps, path));
  }
  std::unique_ptr<EventFile> events;
  if (tensorboard) {
    GM_ASSIGN_OR_RETURN(events, EventFile::Create(events_folder, steps));
  }
  return std::unique_ptr<RunLog>(new RunLog(path, std::move(events)));
}

RunLog::RunLog(std::string path, std::unique_ptr<EventFile> events)
    : path_(std::move(path)), events_(std::move(events)) {}

absl::Status RunLog::Write(const Json& line) {
  GM_RETURN_IF_ERROR(AppendWhole(path_, absl::StrCat(line.dump(), "\n")));
  const std::string event = line.at("event");
  if (events_ == nullptr || (event != "step" && event != "epoch")) {
    return absl::OkStatus();
  }
  std::vector<Scalar> scalars;
  CollectScalars(event, line, &scalars);
  return events_->Write(line.at("step"), scalars);
}

absl::StatusOr<std::vector<Json>> ReadRunLog(const std::string& path) {
  GM_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                      ReadRegularFile(path, kMaxLogBytes));
  const absl::string_view text(reinterpret_cast<const char*>(bytes.data()),
                               bytes.size());
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  std::vector<Json> objects;
  for (size_t i = 0; i + 1 < lines.size(); ++i) {  // after the last end: cut
    Json object = Json::parse(lines[i].begin(), lines[i].end(), nullptr,
                              /*allow_exceptions=*/false);
    const auto event = object.find("event");
    if (!object.is_object() || event == object.end() || !event->is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": line ", i + 1, " is not one of groupmamba-train's log"));
    }
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace groupmamba::training
