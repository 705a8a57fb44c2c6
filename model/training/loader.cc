#include "model/training/loader.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace groupmamba::training {
namespace {

constexpr size_t kNamesTold = 10;

}  // namespace

absl::Status BrokenPictures::Add(const std::string& name,
                                 const absl::Status& why) {
  MutexLock lock(&mutex_);
  if (names_.insert(name).second) {
    std::fprintf(stderr, "%s: cannot be read and is left out: %s\n",
                 name.c_str(), std::string(why.message()).c_str());
  }
  if (static_cast<int64_t>(names_.size()) <= most_) return absl::OkStatus();
  std::vector<std::string> first(names_.begin(), names_.end());
  first.resize(std::min(first.size(), kNamesTold));
  return absl::DataLossError(absl::StrCat(
      "more than ", most_, " pictures cannot be read (--max-broken); among ",
      "them ", absl::StrJoin(first, ", ")));
}

int64_t BrokenPictures::count() const {
  MutexLock lock(&mutex_);
  return static_cast<int64_t>(names_.size());
}

Loader::Loader(const PictureSource* source, BrokenPictures* broken,
               const LoaderOptions& options, Plan plan)
    : source_(source),
      broken_(broken),
      options_(options),
      plan_(std::move(plan)),
      next_step_(options.first_step),
      taken_(options.first_step),
      slots_(options.ahead) {
  for (int i = 0; i < options.threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

Loader::~Loader() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
    room_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::StatusOr<LoadedBatch> Loader::Next() {
  MutexLock lock(&mutex_);
  if (taken_ == options_.end_step) {
    return absl::OutOfRangeError("all steps are done");
  }
  Slot& slot = slots_[taken_ % options_.ahead];
  while (slot.step != taken_ || slot.missing > 0) ready_.Wait(&mutex_);
  GM_RETURN_IF_ERROR(slot.status);
  slot.step = -1;
  ++taken_;
  room_.NotifyAll();
  return std::move(slot.batch);
}

void Loader::Work() {
  Piece piece;
  while (Claim(&piece)) {
    absl::Status status;
    try {
      status = Fill(piece.slot, piece.place);
    } catch (const std::exception& error) {  // no memory; OpenCV's
      status = absl::InternalError(error.what());
    }
    MutexLock lock(&mutex_);
    piece.slot->status.Update(status);
    if (--piece.slot->missing == 0) ready_.NotifyAll();
  }
}

// Waits for a piece of work; false: there will be none.
bool Loader::Claim(Piece* piece) {
  MutexLock lock(&mutex_);
  while (!stop_ && next_step_ < options_.end_step &&
         next_step_ - taken_ >= options_.ahead) {
    room_.Wait(&mutex_);
  }
  if (stop_ || next_step_ == options_.end_step) return false;
  Slot& slot = slots_[next_step_ % options_.ahead];
  if (next_place_ == 0) {
    slot.step = next_step_;
    slot.plan = plan_(next_step_);
    const size_t n = slot.plan.pictures.size();
    slot.missing = n;
    const size_t side = options_.input.crop;
    slot.batch.pixels.resize(n * side * side * 3);
    slot.batch.labels.resize(n);
    slot.batch.pictures.resize(n);
  }
  *piece = {&slot, next_place_};
  if (++next_place_ == slot.plan.pictures.size()) {
    next_place_ = 0;
    ++next_step_;
  }
  return true;
}

absl::Status Loader::Fill(Slot* slot, size_t place) const {
  LoadedBatch& batch = slot->batch;
  const size_t size = batch.pixels.size() / batch.labels.size();
  const absl::Span<uint8_t> out =
      absl::MakeSpan(batch.pixels).subspan(place * size, size);
  const int64_t count = source_->count();
  for (int64_t tries = 0; tries < count; ++tries) {
    const int64_t picture = (slot->plan.pictures[place] + tries) % count;
    batch.pictures[place] = static_cast<int32_t>(picture);
    const absl::Status status = Render(picture, slot->plan.epoch, out);
    if (status.ok()) {
      batch.labels[place] = source_->label(picture);
      return absl::OkStatus();
    }
    GM_RETURN_IF_ERROR(broken_->Add(source_->name(picture), status));
    if (!options_.augment.has_value()) {
      batch.labels[place] = -1;
      std::fill(out.begin(), out.end(), uint8_t{0});
      return absl::OkStatus();
    }
  }
  return absl::DataLossError("no picture can be read");
}

absl::Status Loader::Render(int64_t picture, int64_t epoch,
                            absl::Span<uint8_t> out) const {
  GM_ASSIGN_OR_RETURN(const cv::Mat rgb, source_->Read(picture));
  if (!options_.augment.has_value()) {
    return ServedPixels(rgb, options_.input, out);
  }
  const Random random({options_.seed, static_cast<uint64_t>(epoch),
                       static_cast<uint64_t>(picture)});
  return Augment(*options_.augment, options_.input, random, rgb, out);
}

Plan InOrder(int64_t count, int64_t batch) {
  return [count, batch](int64_t step) {
    PlannedStep plan;
    for (int64_t i = step * batch; i < std::min((step + 1) * batch, count);
         ++i) {
      plan.pictures.push_back(static_cast<int32_t>(i));
    }
    return plan;
  };
}

}  // namespace groupmamba::training
