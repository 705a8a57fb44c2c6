// The models of a server that has only FakeModel().

#ifndef GROUPMAMBA_TESTS_TESTING_FAKE_MODELS_H_
#define GROUPMAMBA_TESTS_TESTING_FAKE_MODELS_H_

#include <memory>
#include <vector>

#include "server/fake_engine.h"
#include "server/metrics.h"
#include "server/served_model.h"

namespace groupmamba {

// Not loaded. For a ModelRepository; the pointers must outlive it.
inline std::vector<std::unique_ptr<ServedModel>> OneFakeModel(
    const ServedModelOptions& options, Metrics* metrics, Clock* clock) {
  std::vector<std::unique_ptr<ServedModel>> models;
  models.push_back(std::make_unique<ServedModel>(
      FakeModel(), options, metrics->AddModel("fake", 1), clock));
  return models;
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_FAKE_MODELS_H_
