// An engine without a model, with a set service time: for tests of the server
// and for load tests of everything around the model (--engine fake:MS).

#ifndef GROUPMAMBA_SERVER_FAKE_ENGINE_H_
#define GROUPMAMBA_SERVER_FAKE_ENGINE_H_

#include <memory>

#include "base/clock.h"
#include "model/config.h"
#include "model/engine.h"

namespace groupmamba {

// Every batch takes `service_time` by `clock`, whatever its size. Logit c of a
// picture is the mean of its bytes c, c + classes, c + 2 classes, ..., over
// 255: answers depend on the picture and on nothing else.
std::unique_ptr<Engine> MakeFakeEngine(const ModelConfig& config,
                                       Duration service_time, Clock* clock);

// The model that a fake engine serves when there is no folder: "fake", version
// 1, configured as tiny but for ten classes and input 32 x 32.
ModelFolder FakeModel();

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_FAKE_ENGINE_H_
