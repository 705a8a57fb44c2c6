#include "model/convert/pickle.h"

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/convert/pickle_bytes.h"

namespace groupmamba {
namespace {

using testing::BytesOf;
using testing::DictOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Int;
using testing::PickleOf;
using testing::TensorOps;
using testing::Text;
using testing::Tuple;
using Kind = PickleValue::Kind;

absl::StatusOr<Pickle> Read(const std::string& value,
                            const PickleLimits& limits = {}) {
  return ReadPickle(BytesOf(PickleOf(value)), limits);
}

std::string Repeat(int count, absl::string_view text) {
  std::string result;
  for (int i = 0; i < count; ++i) absl::StrAppend(&result, text);
  return result;
}

TEST(Pickle, ReadsADictionaryOfATensor) {
  const auto pickle = Read(DictOf(TensorOps(Int(2) + Int(2), Int(2) + Int(1))));
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  const PickleValue& root = pickle->values[pickle->root];
  ASSERT_EQ(root.kind, Kind::kDict);
  EXPECT_EQ(pickle->values[root.items[0]].text, "a");
  EXPECT_EQ(pickle->values[root.items[1]].kind, Kind::kTensor);
  EXPECT_TRUE(pickle->opaque.empty());
}

// What Python would run is told, and nothing else happens to it.
TEST(Pickle, FunctionsAreNamedAndNotCalled) {
  const auto pickle =
      Read(DictOf("cposix\nsystem\n" + Tuple(Text("touch /tmp/owned")) + "R"));
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_THAT(pickle->opaque, ElementsAre("posix.system"));
  const PickleValue& root = pickle->values[pickle->root];
  EXPECT_EQ(DescribePickleValue(*pickle, root.items[1]), "a \"posix.system\"");
}

TEST(Pickle, OpaqueObjectsLoseWhatIsAddedToThem) {
  for (const std::string& made :
       {std::string("cyacs.config\nCfgNode\n)\x81"),
        Text("yacs.config") + Text("CfgNode") + "\x93)\x81",
        std::string("cyacs.config\nCfgNode\n)}\x92")}) {
    const auto pickle = Read(absl::StrCat(made, "(", Text("k"), "Nu", "}",
                                          Text("x"), "Nsb", "(NNe"));
    ASSERT_TRUE(pickle.ok()) << pickle.status();
    EXPECT_EQ(pickle->values[pickle->root].kind, Kind::kOpaque);
    EXPECT_THAT(pickle->opaque, ElementsAre("yacs.config.CfgNode"));
  }
}

TEST(Pickle, ReadsIntegersOfEveryWidth) {
  const auto pickle = Read(Tuple(absl::StrCat(
      "K\xff", "M\xff\xff", "J\xff\xff\xff\xff", std::string("\x8a\x00", 2),
      "\x8a\x01\x80", Int(INT64_MIN))));
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  std::vector<int64_t> numbers;
  for (const int item : pickle->values[pickle->root].items) {
    numbers.push_back(pickle->values[item].number);
  }
  EXPECT_THAT(numbers, ElementsAre(255, 65535, -1, 0, -128, INT64_MIN));
}

TEST(Pickle, AContainerMayHoldItself) {
  EXPECT_TRUE(Read("]q\x01h\x01"
                   "a")
                  .ok());
}

struct Fault {
  const char* name;
  std::string value;
  const char* says;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class PickleFault : public ::testing::TestWithParam<Fault> {};

TEST_P(PickleFault, IsRefusedWithItsReason) {
  const auto pickle = Read(GetParam().value);
  EXPECT_EQ(pickle.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(pickle.status().message()),
              HasSubstr(GetParam().says));
}

const Fault kFaults[] = {
    {"TextInteger", "I5\n", "opcode 0x49 at byte 2"},
    {"Instance", "(iposix\nsystem\n", "opcode 0x69"},
    {"Extension", "\x82\x01", "opcode 0x82"},
    {"OutOfBand", "\x97", "opcode 0x97"},
    {"TextPersistentId", "P0\n", "opcode 0x50"},
    {"OtherProtocol", "\x80\x09N", "is of protocol 9"},
    {"Nothing", "", "ends with other than one value"},
    {"TwoValues", "NN", "ends with other than one value"},
    {"OpenMark", "(N", "ends with other than one value"},
    {"BytesBehind", "N.N", "has bytes behind its end"},
    {"PopOfNothing", "0", "takes a value where there is none"},
    {"PopBelowTheMark", "N(0", "takes a value where there is none"},
    {"ItemsWithoutAMark", "]e", "takes items where no mark is"},
    {"NeverRemembered", "h\x07", "recalls value 7"},
    {"KeyWithoutValue", "}(Nu", "a key without a value"},
    {"ItemsToANumber", "K\x01Na", "adds items to a number"},
    {"ItemsToATuple",
     "NN\x86"
     "Na",
     "adds items to a tuple"},
    {"LongText", "X\xff\xff\xff\xff", "is cut off (BINUNICODE at byte 2)"},
    {"EndlessText", std::string("\x8d") + std::string(8, '\xff'), "is cut off"},
    {"NameWithoutEnd", "c" + std::string(300, 'x'), "a name of more than 256"},
    {"CalledWithANumber", "cx\ny\nK\x01R", "arguments that are no tuple"},
    {"ForeignReference", "NQ", "no storage"},
    {"TensorOfNothing", "ctorch._utils\n_rebuild_tensor_v2\n)R",
     "makes a tensor of something that is none"},
    {"ParameterOfANumber", "ctorch._utils\n_rebuild_parameter\nK\x01\x85R",
     "makes a parameter of something that is no tensor"},
    {"OrderedDictOfANumber", "ccollections\nOrderedDict\nK\x01\x85R",
     "something that is no list"},
    {"DeepMarks", Repeat(1000, "("), "nested more than 100 deep"},
    {"DeepTuples", "N" + Repeat(1000, "\x85"), "nested more than 100 deep"},
    {"DeepLists", Repeat(1000, "]") + Repeat(999, "a"), "nested more than 100"},
    {"HighStack", Repeat(100'001, "N"), "a stack of more than 100000"},
    {"TensorOfManyDimensions",
     TensorOps(Repeat(65, "K\x01"), Repeat(65, "K\x01")), "that is none"},
};

INSTANTIATE_TEST_SUITE_P(All, PickleFault, ::testing::ValuesIn(kFaults),
                         [](const auto& info) { return info.param.name; });

TEST(PickleLimit, EachIsObeyed) {
  const std::string value =
      "]K\x01q\x01"
      "aK\x02q\x02"
      "a";
  PickleLimits exact = {.max_bytes = PickleOf(value).size(),
                        .max_opcodes = 9,
                        .max_items = 2,
                        .max_values = 3,
                        .max_memo = 2,
                        .max_stack = 2,
                        .max_depth = 2};
  EXPECT_TRUE(Read(value, exact).ok()) << Read(value, exact).status();
  for (size_t PickleLimits::*limit :
       {&PickleLimits::max_bytes, &PickleLimits::max_opcodes,
        &PickleLimits::max_items, &PickleLimits::max_values,
        &PickleLimits::max_memo, &PickleLimits::max_stack}) {
    PickleLimits tight = exact;
    --(tight.*limit);
    EXPECT_FALSE(Read(value, tight).ok());
  }
  exact.max_depth = 1;
  EXPECT_FALSE(Read(value, exact).ok());
}

// A list of 1,000 pairs, made an OrderedDict again and again: sharing must not
// become copying without end.
TEST(PickleLimit, SharedValuesDoNotMultiply) {
  const std::string pairs = "](" + Repeat(1000, "NN\x86") +
                            "eq\x01"
                            "0";
  const auto pickle =
      Read("](" + pairs +
           Repeat(50'000, "ccollections\nOrderedDict\nh\x01\x85R0") + "e");
  EXPECT_THAT(std::string(pickle.status().message()),
              HasSubstr("puts more than 10000000 items"));
}

TEST(PickleProperty, EveryPrefixIsRefused) {
  const auto bytes =
      BytesOf(PickleOf(DictOf(TensorOps(Int(2) + Int(2), Int(2) + Int(1))) +
                       "q\x05"
                       "0" +
                       "cyacs.config\nCfgNode\n)\x81(" + Text("k") + "G" +
                       std::string(8, '\0') + "u}b0h\x05"));
  ASSERT_TRUE(ReadPickle(bytes).ok()) << ReadPickle(bytes).status();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ReadPickle(absl::MakeConstSpan(bytes.data(), size)).ok());
  }
}

}  // namespace
}  // namespace groupmamba
