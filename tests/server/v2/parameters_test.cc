#include "server/v2/parameters.h"

#include <string>

#include "gtest/gtest.h"
#include "server/status_map.h"

namespace groupmamba::v2 {
namespace {

using inference::InferParameter;

InferParameter Int(int64_t value) {
  InferParameter parameter;
  parameter.set_int64_param(value);
  return parameter;
}

InferParameter Unsigned(uint64_t value) {
  InferParameter parameter;
  parameter.set_uint64_param(value);
  return parameter;
}

InferParameter Bool(bool value) {
  InferParameter parameter;
  parameter.set_bool_param(value);
  return parameter;
}

InferParameter Text(const std::string& value) {
  InferParameter parameter;
  parameter.set_string_param(value);
  return parameter;
}

ParameterMap Map(const std::string& key, const InferParameter& value) {
  ParameterMap map;
  map[key] = value;
  return map;
}

bool IsBadParameter(const absl::Status& status) {
  return absl::IsInvalidArgument(status) &&
         status.message().substr(0, 15) == "bad_parameter: ";
}

TEST(RequestParametersTest, WithoutThemTheRequestIsNormalAndUntimed) {
  const auto read = ReadRequestParameters({});
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->priority, Priority::kNormal);
  EXPECT_EQ(read->timeout, Duration::max());
}

TEST(RequestParametersTest, PriorityOneIsHighestZeroIsTheDefault) {
  const struct {
    uint64_t level;
    Priority priority;
  } table[] = {{0, Priority::kNormal}, {1, Priority::kHigh},
               {2, Priority::kNormal}, {3, Priority::kLow},
               {9, Priority::kLow},    {UINT64_MAX, Priority::kLow}};
  for (const auto& row : table) {
    EXPECT_EQ(
        ReadRequestParameters(Map("priority", Unsigned(row.level)))->priority,
        row.priority)
        << row.level;
  }
  EXPECT_EQ(ReadRequestParameters(Map("priority", Int(1)))->priority,
            Priority::kHigh);
}

TEST(RequestParametersTest, TimeoutIsInMicrosecondsAndZeroIsNone) {
  EXPECT_EQ(ReadRequestParameters(Map("timeout", Int(1500)))->timeout,
            std::chrono::microseconds(1500));
  EXPECT_EQ(ReadRequestParameters(Map("timeout", Int(0)))->timeout,
            Duration::max());
  EXPECT_EQ(
      ReadRequestParameters(Map("timeout", Unsigned(UINT64_MAX)))->timeout,
      std::chrono::hours(24))
      << "cut, so that it can be added to a time";
}

TEST(RequestParametersTest, WrongTypesAndNegativeNumbersAreRefused) {
  for (const char* key : {"priority", "timeout"}) {
    for (const InferParameter& value :
         {Int(-1), Text("1"), Bool(true), InferParameter()}) {
      EXPECT_TRUE(
          IsBadParameter(ReadRequestParameters(Map(key, value)).status()))
          << key << " " << value.ShortDebugString();
    }
  }
}

TEST(RequestParametersTest, WhatTheCppClientAlwaysSendsIsAccepted) {
  const char key[] = "triton_enable_empty_final_response";
  EXPECT_TRUE(ReadRequestParameters(Map(key, Bool(true))).ok());
  EXPECT_TRUE(ReadRequestParameters(Map(key, Bool(false))).ok());
  EXPECT_TRUE(IsBadParameter(ReadRequestParameters(Map(key, Int(1))).status()));
}

TEST(RequestParametersTest, ReservedNamesAndSequencesAreRefused) {
  for (const char* key : {"triton_other", "headers", "binary_data_output",
                          "sequence_id", "sequence_start", "sequence_end"}) {
    EXPECT_TRUE(
        IsBadParameter(ReadRequestParameters(Map(key, Int(1))).status()))
        << key;
  }
}

TEST(RequestParametersTest, OtherNamesAreNotOurs) {
  EXPECT_TRUE(ReadRequestParameters(Map("color", Text("blue"))).ok());
}

TEST(OutputParametersTest, ClassificationIsAWholeNumberFromOne) {
  EXPECT_EQ(*ReadOutputParameters({}), 0);
  EXPECT_EQ(*ReadOutputParameters(Map("classification", Int(3))), 3);
  EXPECT_EQ(*ReadOutputParameters(Map("classification", Int(INT64_MAX))),
            INT32_MAX);
  for (const InferParameter& value :
       {Int(0), Int(-1), Unsigned(3), Text("3"), InferParameter()}) {
    EXPECT_TRUE(IsBadParameter(
        ReadOutputParameters(Map("classification", value)).status()))
        << value.ShortDebugString();
  }
}

TEST(TensorParametersTest, SharedMemoryIsRefusedOnBothSides) {
  const ParameterMap map = Map("shared_memory_region", Text("r"));
  EXPECT_TRUE(IsBadParameter(ReadOutputParameters(map).status()));
  EXPECT_TRUE(IsBadParameter(CheckInputParameters(map)));
  EXPECT_TRUE(CheckInputParameters(Map("binary_data_size", Int(4))).ok());
}

}  // namespace
}  // namespace groupmamba::v2
