#include "tests/chaos/schedule.h"

#include <zlib.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "client/load/synthetic.h"

namespace groupmamba::chaos {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kLength = std::chrono::seconds(4);

// The standard's distributions differ between libraries; this does not.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}

  // From `low` to `high`, both included.
  int64_t Draw(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() %
                                      static_cast<uint64_t>(high - low + 1));
  }
  bool Chance(int percent) { return Draw(1, 100) <= percent; }

 private:
  std::mt19937_64 random_;
};

v1::ClassifyRequest GoodRaw(Dice* dice) {
  v1::ClassifyRequest request;
  const auto side = static_cast<uint32_t>(dice->Draw(1, 40));
  request.mutable_raw()->set_width(side);
  request.mutable_raw()->set_height(side);
  request.mutable_raw()->set_rgb(std::string(
      size_t{3} * side * side, static_cast<char>(dice->Draw(0, 255))));
  return request;
}

v1::ClassifyRequest GoodJpeg(Dice* dice) {
  v1::ClassifyRequest request;
  const auto side = static_cast<uint32_t>(dice->Draw(8, 64));
  request.set_encoded(client::EncodeJpeg(
      client::MakePixels(side, side, dice->Draw(0, 1000)), side, side));
  return request;
}

v1::ClassifyRequest MakeRequest(Dice* dice) {
  v1::ClassifyRequest request =
      dice->Chance(50) ? GoodRaw(dice) : GoodJpeg(dice);
  switch (dice->Draw(0, 11)) {
    case 0: {  // cut off
      std::string file = GoodJpeg(dice).encoded();
      file.resize(dice->Draw(0, static_cast<int64_t>(file.size())));
      request.set_encoded(file);
      break;
    }
    case 1:  // no picture file
      request.set_encoded(std::string(dice->Draw(1, 5000), '\x5a'));
      break;
    case 2:  // pixels that do not fit their size
      request.mutable_raw()->set_width(77);
      break;
    case 3:
      request.set_model("nobody");
      break;
    case 4:
      request.set_version(99);
      break;
    default:
      break;
  }
  request.set_priority(static_cast<v1::Priority>(dice->Draw(0, 3)));
  request.set_top_k(static_cast<uint32_t>(dice->Draw(0, 12)));
  return request;
}

PlannedCall MakeCall(Dice* dice, Duration at) {
  PlannedCall call{.at = at, .request = MakeRequest(dice)};
  call.deadline = dice->Chance(20) ? Duration(milliseconds(dice->Draw(1, 30)))
                                   : milliseconds(dice->Draw(100, 3000));
  if (dice->Chance(15)) call.cancel_after = microseconds(dice->Draw(0, 60'000));
  return call;
}

// Takes a decoder some 10 ms.
const std::string& SlowJpeg() {
  static const std::string* const file = [] {
    constexpr uint32_t kSide = 1500;
    return new std::string(
        client::EncodeJpeg(client::MakePixels(kSide, kSide, 1), kSide, kSide));
  }();
  return *file;
}

PlannedCall MakeSlowCall(Duration at) {
  PlannedCall call{.at = at, .deadline = std::chrono::seconds(3)};
  call.request.set_encoded(SlowJpeg());
  return call;
}

std::vector<Duration> MakeTimes(Dice* dice, int64_t most) {
  std::vector<Duration> times;
  for (int64_t i = dice->Draw(1, most); i > 0; --i) {
    times.emplace_back(milliseconds(dice->Draw(100, 3800)));
  }
  std::sort(times.begin(), times.end());
  return times;
}

void PlanKills(Dice* dice, Schedule* schedule) {
  for (const Duration at : MakeTimes(dice, 6)) {
    schedule->kills.push_back({at, static_cast<size_t>(dice->Draw(0, 5))});
    schedule->calls.push_back(
        MakeSlowCall(at - milliseconds(dice->Draw(2, 12))));
  }
  std::stable_sort(
      schedule->calls.begin(), schedule->calls.end(),
      [](const PlannedCall& a, const PlannedCall& b) { return a.at < b.at; });
}

}  // namespace

Schedule MakeSchedule(uint64_t seed, bool isolated) {
  Dice dice(seed);
  Schedule schedule{.length = kLength};
  // From a lightly loaded server to one that refuses most.
  const int64_t gap_us = 1'000'000 / dice.Draw(50, 800);
  Duration at = {};
  while (at < kLength) {
    schedule.calls.push_back(MakeCall(&dice, at));
    at += microseconds(dice.Draw(0, 2 * gap_us));
  }
  Duration free = milliseconds(500);
  for (int64_t i = dice.Draw(0, 3); i > 0; --i) {
    const Duration start = free + milliseconds(dice.Draw(0, 700));
    const Duration length = milliseconds(dice.Draw(20, 1500));
    if (start + length > kLength) break;
    schedule.stops.push_back({start, length});
    free = start + length + milliseconds(50);
  }
  schedule.stream_rate = static_cast<int>(dice.Draw(20, 200));
  schedule.v2_rate = static_cast<int>(dice.Draw(20, 200));
  schedule.reloads = MakeTimes(&dice, 5);
  schedule.swaps = MakeTimes(&dice, 3);
  const int64_t threads = dice.Draw(1, 3);
  schedule.server_flags = {
      absl::StrCat("--engine=fake:", dice.Draw(1, 20)),
      absl::StrCat("--max-batch=", int64_t{1} << dice.Draw(0, 4)),
      absl::StrCat("--queue-capacity=", dice.Draw(4, 256)),
      absl::StrCat("--instances=", dice.Draw(1, 3)),
      absl::StrCat("--decode-threads=", threads),
      absl::StrCat("--default-deadline-ms=", dice.Draw(500, 5000))};
  if (isolated) {
    schedule.decoders = static_cast<int>(threads);
    schedule.server_flags.emplace_back("--decode-isolation=process");
    PlanKills(&dice, &schedule);
  }
  return schedule;
}

uint32_t Fingerprint(const Schedule& schedule) {
  std::string text;
  for (const PlannedCall& call : schedule.calls) {
    absl::StrAppend(&text, call.at.count(), ",", call.deadline.count(), ",",
                    call.cancel_after.count(), ",",
                    call.request.SerializeAsString(), ";");
  }
  for (const PlannedStop& stop : schedule.stops) {
    absl::StrAppend(&text, stop.at.count(), ",", stop.length.count(), ";");
  }
  for (const auto& times : {schedule.reloads, schedule.swaps}) {
    for (const Duration at : times) absl::StrAppend(&text, at.count(), ",");
    text += ";";
  }
  for (const PlannedKill& planned : schedule.kills) {
    absl::StrAppend(&text, planned.at.count(), ",", planned.which, ";");
  }
  absl::StrAppend(&text, schedule.stream_rate, ",", schedule.v2_rate);
  for (const std::string& flag : schedule.server_flags) text += flag;
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

}  // namespace groupmamba::chaos
