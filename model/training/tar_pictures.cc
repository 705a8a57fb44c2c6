#include "model/training/tar_pictures.h"

#include <filesystem>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/training/folder_pictures.h"
#include "model/training/list_names.h"
#include "model/training/tar.h"

namespace groupmamba::training {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxLabelsBytes = int64_t{64} << 20;
constexpr int64_t kMaxNumberBytes = 16;

struct Item {
  int32_t shard = 0;
  int32_t label = 0;
  TarMember member;
};

class TarPictures final : public PictureSource {
 public:
  TarPictures(std::string folder, std::vector<std::string> shards,
              std::vector<std::string> labels, std::vector<Item> items)
      : folder_(std::move(folder)),
        shards_(std::move(shards)),
        labels_(std::move(labels)),
        items_(std::move(items)) {}

  int64_t count() const override { return static_cast<int64_t>(items_.size()); }
  const std::vector<std::string>& labels() const override { return labels_; }
  int label(int64_t i) const override { return items_[i].label; }
  std::string name(int64_t i) const override {
    return absl::StrCat(shards_[items_[i].shard], ":", items_[i].member.name);
  }

  absl::StatusOr<cv::Mat> Read(int64_t i) const override {
    const Item& item = items_[i];
    GM_ASSIGN_OR_RETURN(
        const std::vector<uint8_t> bytes,
        ReadMember(absl::StrCat(folder_, "/", shards_[item.shard]), item.member,
                   MaxPictureBytes()));
    return DecodeTrusted(bytes);
  }

 private:
  const std::string folder_;
  const std::vector<std::string> shards_;
  const std::vector<std::string> labels_;
  const std::vector<Item> items_;
};

// What a shard holds under one key.
struct Sample {
  std::optional<TarMember> picture;
  std::optional<TarMember> label;
};

absl::Status Wrong(const std::string& path, absl::string_view what,
                   absl::string_view key) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what, " ", key));
}

absl::StatusOr<int32_t> ReadLabel(const std::string& path,
                                  const TarMember& member, size_t classes) {
  const absl::StatusOr<std::vector<uint8_t>> bytes =
      ReadMember(path, member, kMaxNumberBytes);
  int32_t label = -1;
  if (!bytes.ok() ||
      !absl::SimpleAtoi(
          absl::StripAsciiWhitespace(std::string(bytes->begin(), bytes->end())),
          &label) ||
      label < 0 || static_cast<size_t>(label) >= classes) {
    return Wrong(path, absl::StrCat("no class below ", classes, " in"),
                 member.name);
  }
  return label;
}

// The samples of a shard in the order of their first members.
absl::StatusOr<std::vector<std::pair<std::string, Sample>>> SamplesOf(
    const std::string& path) {
  GM_ASSIGN_OR_RETURN(std::vector<TarMember> members, ListTar(path));
  std::vector<std::pair<std::string, Sample>> samples;
  std::unordered_map<std::string, size_t> places;  // by key
  for (TarMember& member : members) {
    const bool picture = IsPictureName(member.name);
    const size_t slash = member.name.rfind('/');
    const size_t dot =
        member.name.find('.', slash == std::string::npos ? 0 : slash);
    const bool label = dot != std::string::npos &&
                       absl::AsciiStrToLower(member.name.substr(dot)) == ".cls";
    if (!picture && !label) continue;
    const std::string key = member.name.substr(0, dot);
    const auto [place, fresh] = places.emplace(key, samples.size());
    if (fresh) samples.push_back({key, {}});
    Sample& sample = samples[place->second].second;
    std::optional<TarMember>& half = picture ? sample.picture : sample.label;
    if (half.has_value()) {
      return Wrong(path, picture ? "two pictures of" : "two classes of", key);
    }
    half = std::move(member);
  }
  return samples;
}

absl::Status AddShard(const std::string& path, int32_t shard, size_t classes,
                      int64_t limit, std::vector<Item>* items) {
  GM_ASSIGN_OR_RETURN(const auto samples, SamplesOf(path));
  for (const auto& [key, sample] : samples) {
    if (static_cast<int64_t>(items->size()) == limit) break;
    if (!sample.picture.has_value()) return Wrong(path, "no picture of", key);
    if (!sample.label.has_value()) return Wrong(path, "no class of", key);
    GM_ASSIGN_OR_RETURN(const int32_t label,
                        ReadLabel(path, *sample.label, classes));
    items->push_back({shard, label, *sample.picture});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListShards(const std::string& folder,
                                                    const std::string& name) {
  GM_ASSIGN_OR_RETURN(std::vector<std::string> shards,
                      ListNames(absl::StrCat(folder, "/", name),
                                [](const fs::directory_entry& entry) {
                                  return entry.path().extension() == ".tar";
                                }));
  for (std::string& shard : shards) shard = absl::StrCat(name, "/", shard);
  return shards;
}

absl::StatusOr<std::unique_ptr<PictureSource>> OpenShards(
    const std::string& folder, const std::vector<std::string>& shards,
    int64_t limit) {
  const std::string labels_path = folder + "/labels.txt";
  GM_ASSIGN_OR_RETURN(const std::vector<uint8_t> text,
                      ReadRegularFile(labels_path, kMaxLabelsBytes));
  absl::StatusOr<std::vector<std::string>> labels =
      ParseLabels(std::string(text.begin(), text.end()));
  if (!labels.ok()) return InFile(labels_path, labels.status());

  const int64_t most = std::numeric_limits<int32_t>::max();
  std::vector<Item> items;
  for (size_t i = 0; i < shards.size(); ++i) {
    GM_RETURN_IF_ERROR(AddShard(absl::StrCat(folder, "/", shards[i]),
                                static_cast<int32_t>(i), labels->size(),
                                limit == 0 ? most : limit, &items));
  }
  if (items.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": its shards hold no pictures"));
  }
  return std::make_unique<TarPictures>(folder, shards, *std::move(labels),
                                       std::move(items));
}

}  // namespace groupmamba::training
