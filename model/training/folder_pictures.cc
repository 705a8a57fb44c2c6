#include "model/training/folder_pictures.h"

#include <cstddef>
#include <filesystem>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/training/list_names.h"

namespace groupmamba::training {
namespace {

namespace fs = std::filesystem;

bool IsHidden(const fs::directory_entry& entry) {
  return absl::StartsWith(entry.path().filename().string(), ".");
}

class FolderPictures final : public PictureSource {
 public:
  struct Item {
    int32_t label = 0;
    std::string file;  // name alone
  };

  FolderPictures(std::string root, std::string name,
                 std::vector<std::string> labels, std::vector<Item> items)
      : root_(std::move(root)),
        name_(std::move(name)),
        labels_(std::move(labels)),
        items_(std::move(items)) {}

  int64_t count() const override { return static_cast<int64_t>(items_.size()); }
  const std::vector<std::string>& labels() const override { return labels_; }
  int label(int64_t i) const override { return items_[i].label; }
  std::string name(int64_t i) const override {
    const Item& item = items_[i];
    return absl::StrCat(name_, "/", labels_[item.label], "/", item.file);
  }

  absl::StatusOr<cv::Mat> Read(int64_t i) const override {
    GM_ASSIGN_OR_RETURN(
        const std::vector<uint8_t> bytes,
        ReadRegularFile(absl::StrCat(root_, "/", name(i)), MaxPictureBytes()));
    return DecodeTrusted(bytes);
  }

 private:
  const std::string root_;
  const std::string name_;
  const std::vector<std::string> labels_;
  const std::vector<Item> items_;
};

// The first of each class, the second of each, ...
std::vector<FolderPictures::Item> InTurns(
    std::vector<std::vector<std::string>> files, int64_t limit) {
  std::vector<FolderPictures::Item> items;
  for (size_t rank = 0;; ++rank) {
    const size_t before = items.size();
    for (size_t label = 0; label < files.size(); ++label) {
      if (rank >= files[label].size()) continue;
      if (limit > 0 && static_cast<int64_t>(items.size()) == limit) {
        return items;
      }
      items.push_back(
          {static_cast<int32_t>(label), std::move(files[label][rank])});
    }
    if (items.size() == before) return items;
  }
}

}  // namespace

bool IsPictureName(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (const char* ending : {".jpg", ".jpeg", ".png", ".webp"}) {
    if (absl::EndsWith(lower, ending)) return true;
  }
  return false;
}

absl::StatusOr<std::unique_ptr<PictureSource>> OpenFolder(
    const std::string& folder, const std::string& name, int64_t limit) {
  const std::string top = absl::StrCat(folder, "/", name);
  GM_ASSIGN_OR_RETURN(std::vector<std::string> labels,
                      ListNames(top, [](const fs::directory_entry& entry) {
                        return !IsHidden(entry) && entry.is_directory();
                      }));
  if (labels.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        top, ": holds no folders; there must be one for each class"));
  }
  std::vector<std::vector<std::string>> files;
  size_t count = 0;
  for (const std::string& label : labels) {
    const absl::StatusOr<std::vector<std::string>> parsed = ParseLabels(label);
    if (!parsed.ok() || parsed->size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(top, ": the class ", absl::CHexEscape(label),
                       " has a name that no labels.txt can hold"));
    }
    GM_ASSIGN_OR_RETURN(
        std::vector<std::string> names,
        ListNames(absl::StrCat(top, "/", label),
                  [](const fs::directory_entry& entry) {
                    return !IsHidden(entry) &&
                           IsPictureName(entry.path().filename().string());
                  }));
    if (names.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(top, "/", label, ": holds no pictures"));
    }
    count += names.size();
    files.push_back(std::move(names));
  }
  if (count > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat(top, ": too many pictures"));
  }
  return std::make_unique<FolderPictures>(folder, name, std::move(labels),
                                          InTurns(std::move(files), limit));
}

}  // namespace groupmamba::training
