#include <gtest/gtest.h>

#include "model/engine.h"

namespace groupmamba {
namespace {

TEST(EngineWithoutLibTorch, IsUnavailable) {
  EXPECT_EQ(LoadEngine(ModelFolder(), {}).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace groupmamba
