// What V2's ModelStatistics tells: sums over the V2 requests under each name of
// a model. The metrics page counts everything, whatever the protocol.

#ifndef GROUPMAMBA_SERVER_V2_STATISTICS_H_
#define GROUPMAMBA_SERVER_V2_STATISTICS_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/pipeline.h"
#include "server/v2/model_view.h"

namespace groupmamba::v2 {

// Thread-safe. Counts only rise. Of each name the latest eight versions are
// remembered, so that reloads without end do not fill the memory.
class Statistics {
 public:
  // A request whose pictures were all answered, `last` last. It took `total`
  // from its arrival. Its stages are those of `last`, on which it waited, and
  // what they do not explain is the output's; so that the stages add up to the
  // total. A batch counts as one execution, however many requests shared it:
  // each adds its pictures' part of it.
  void Succeeded(const ModelView& view, absl::Span<const Answer> answers,
                 const Receipt& last, Duration total);

  void Failed(const ModelView& view, Duration total);

  void Fill(const ModelView& view, inference::ModelStatistics* response) const;

 private:
  struct Sum {
    uint64_t count = 0;
    Duration time = {};

    void Add(Duration more) {
      ++count;
      time += more;
    }
    void Fill(inference::StatisticDuration* response) const;
  };

  struct Counts {
    Sum success, fail, queue, input, infer, output;
    uint64_t pictures = 0;
    double batches = 0;
    uint64_t last_success_ms = 0;  // since 1970
  };

  struct Key {
    std::string name;
    InputKind kind;
    int64_t version;
    auto operator<=>(const Key&) const = default;
  };
  static Key KeyOf(const ModelView& view);

  // Makes room for a new version by forgetting the lowest of its name.
  Counts& CountsOf(const ModelView& view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<Key, Counts> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_STATISTICS_H_
