#include "model/convert/checkpoint.h"

#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/convert/layout.h"
#include "model/convert/stored_zip.h"
#include "tests/model/convert/pickle_bytes.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using testing::BytesOf;
using testing::CheckpointOf;
using testing::DictOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Int;
using testing::PickleOf;
using testing::Raw;
using testing::ReadFileForTest;
using testing::TensorOps;
using testing::Text;
using testing::ZipOf;

constexpr char kRealFile[] =
    GM_SOURCE_DIR "/tests/data/checkpoints/pytorch-1.13.pth";

std::vector<float> Floats(const TensorBytes& tensor) {
  std::vector<float> floats(tensor.bytes.size() / sizeof(float));
  std::memcpy(floats.data(), tensor.bytes.data(), tensor.bytes.size());
  return floats;
}

absl::StatusOr<Checkpoint> ParseText(const std::string& file,
                                     absl::string_view state = "") {
  return ParseCheckpoint(BytesOf(file), state);
}

TEST(Checkpoint, ReadsWhatPyTorchWrote) {
  const auto checkpoint = ReadCheckpoint(kRealFile, "");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->state, "model");
  EXPECT_THAT(checkpoint->passed_over,
              ElementsAre("__builtin__.set", "argparse.Namespace",
                          "yacs.config.CfgNode"));
  const auto& tensors = checkpoint->tensors;
  EXPECT_EQ(tensors.size(), 8u);
  EXPECT_THAT(tensors.at("weight").shape, ElementsAre(2, 3));
  EXPECT_EQ(tensors.at("weight").bytes, tensors.at("shared").bytes);
  EXPECT_THAT(tensors.at("transposed").shape, ElementsAre(4, 3));
  EXPECT_THAT(Floats(tensors.at("transposed")),
              ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
  EXPECT_THAT(Floats(tensors.at("slice")), ElementsAre(5, 6, 9, 10));
  EXPECT_EQ(tensors.at("half").dtype, DType::kF16);
  EXPECT_EQ(tensors.at("count").dtype, DType::kI64);
  EXPECT_EQ(tensors.at("count").bytes[0], 5);
  EXPECT_THAT(Floats(tensors.at("param")), ElementsAre(1.5));
}

TEST(Checkpoint, EveryPrefixOfARealFileIsRefused) {
  const auto bytes = BytesOf(ReadFileForTest(kRealFile));
  ASSERT_TRUE(ParseCheckpoint(bytes, "").ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(
        ParseCheckpoint({bytes.begin(), bytes.begin() + size}, "").ok())
        << size;
  }
}

// The CRC guards the entries, so a flipped bit is either refused or in what
// nobody reads: a date, an extra field.
TEST(Checkpoint, NoFlippedBitChangesATensor) {
  const auto bytes = BytesOf(ReadFileForTest(kRealFile));
  const auto good = ParseCheckpoint(bytes, "");
  ASSERT_TRUE(good.ok());
  for (size_t bit = 0; bit < 8 * bytes.size(); bit += 3) {
    std::vector<uint8_t> damaged = bytes;
    damaged[bit / 8] ^= 1 << bit % 8;
    const auto read = ParseCheckpoint(damaged, "");
    if (!read.ok()) continue;
    ASSERT_EQ(read->tensors.size(), good->tensors.size()) << bit;
    for (const auto& [name, tensor] : good->tensors) {
      EXPECT_EQ(read->tensors.at(name).bytes, tensor.bytes) << bit;
    }
  }
}

TEST(Checkpoint, TheAveragedWeightsComeFirstUnlessAnotherStateIsNamed) {
  const std::string two = absl::StrCat(
      "}", Text("model"), DictOf(TensorOps(Int(1), Int(1), 0)), "s",
      Text("model_ema"), DictOf(TensorOps(Int(1), Int(1), 1)), "s");
  const std::string file = CheckpointOf(PickleOf(two));
  EXPECT_EQ(ParseText(file)->state, "model_ema");
  EXPECT_EQ(ParseText(file)->tensors.at("a").bytes[0], '4');
  EXPECT_EQ(ParseText(file, "model")->tensors.at("a").bytes[0], '0');
  EXPECT_THAT(std::string(ParseText(file, "teacher").status().message()),
              HasSubstr("no tensors under \"teacher\""));
}

struct Fault {
  const char* name;
  std::string file;
  const char* says;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class CheckpointFault : public ::testing::TestWithParam<Fault> {};

TEST_P(CheckpointFault, IsRefusedWithItsReason) {
  const auto checkpoint = ParseText(GetParam().file);
  EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(checkpoint.status().message()),
              HasSubstr(GetParam().says));
}

Fault TensorFault(const char* name, const std::string& tensor,
                  const char* says) {
  return {name, CheckpointOf(PickleOf(DictOf(tensor))), says};
}

const std::string kHuge = Int(INT64_MAX);

const Fault kTensorFaults[] = {
    TensorFault("TooLong", TensorOps(Int(5), Int(1)),
                "tensor \"a\" reaches outside its storage"),
    TensorFault("OffsetTooFar", TensorOps(Int(1), Int(1), 4), "outside"),
    TensorFault("NegativeOffset", TensorOps(Int(1), Int(1), -1), "outside"),
    TensorFault("StrideTooFar", TensorOps(Int(2), Int(4)), "outside"),
    TensorFault("NegativeStride", TensorOps(Int(2), Int(-1), 3),
                "negative stride"),
    TensorFault("StrideOverflows", TensorOps(Int(3), kHuge), "outside"),
    TensorFault("ProductOverflows", TensorOps(kHuge + kHuge, Int(0) + Int(0)),
                "outside"),
    TensorFault("OffsetOverflows", TensorOps(Int(2), Int(1), INT64_MAX),
                "outside"),
    TensorFault("Expanded", TensorOps(Int(1'000'000), Int(0)),
                "more than once"),
    TensorFault("NoElements", TensorOps(Int(0), Int(1)), "has no elements"),
    TensorFault("NegativeSize", TensorOps(Int(-1), Int(1)), "has no elements"),
    TensorFault("StrideMissing", TensorOps(Int(1), ""),
                "not a stride for each"),
    TensorFault("StorageOfAnotherSize", TensorOps(Int(1), Int(1), 0, 5),
                "a storage of 16 bytes that says it has 5 elements of 4"),
    TensorFault("StorageMissing",
                TensorOps(Int(1), Int(1), 0, 4, "FloatStorage", "../0"),
                "a storage that is not in the file"),
    TensorFault("UnknownType", TensorOps(Int(1), Int(1), 0, 4, "QInt8Storage"),
                "unknown type, \"torch.QInt8Storage\""),
};

INSTANTIATE_TEST_SUITE_P(Tensors, CheckpointFault,
                         ::testing::ValuesIn(kTensorFaults),
                         [](const auto& info) { return info.param.name; });

std::string Altered(std::string file, const std::string& from, int64_t offset,
                    const std::string& bytes) {
  file.replace(file.rfind(from) + offset, bytes.size(), bytes);
  return file;
}

const std::string kGood =
    CheckpointOf(PickleOf(DictOf(TensorOps(Int(1), Int(1)))));
const std::string kOneTensor = TensorOps(Int(1), Int(1));

const Fault kFileFaults[] = {
    {"Empty", "", "too short"},
    {"OldPyTorch", "\x80\x02\x8a\nl\xfc\x9c", "PyTorch before 1.6"},
    {"Compressed", ZipOf({{"archive/data.pkl", "x"}}, 8), "is compressed"},
    {"NoPickle", ZipOf({{"archive/data", "x"}}), "no data.pkl"},
    {"TorchScript",
     ZipOf({{"a/data.pkl", PickleOf("N")}, {"a/constants.pkl", "x"}}),
     "TorchScript"},
    {"BigEndian",
     ZipOf({{"a/data.pkl", PickleOf("N")}, {"a/byteorder", "big"}}),
     "another byte order"},
    {"EntryTwice", ZipOf({{"a/data.pkl", "x"}, {"a/data.pkl", "y"}}),
     "is there twice"},
    {"BytesBehind", kGood + "x", "has bytes behind its end"},
    {"EntryElsewhere", Altered(kGood, "PK\x01\x02", 42, Raw(uint32_t{1})),
     "is not where the directory says"},
    {"OtherNameInside", Altered(kGood, "0123", -1, "1"), "has another name"},
    {"DamagedData", Altered(kGood, "0123", 0, "X"), "its CRC-32 is another"},
    {"DirectoryElsewhere", Altered(kGood, "PK\x05\x06", 16, Raw(uint32_t{0})),
     "directory is damaged"},
    {"DirectoryOutside", Altered(kGood, "PK\x05\x06", 16, Raw(UINT32_MAX)),
     "directory is not in the file"},
    {"MoreCounted", Altered(kGood, "PK\x05\x06", 10, Raw(uint16_t{3})),
     "directory is damaged"},
    {"FewerCounted", Altered(kGood, "PK\x05\x06", 10, Raw(uint16_t{1})),
     "lists more than it counts"},
    {"NotADictionary", CheckpointOf(PickleOf("]")), "holds a list"},
    {"NoTensors", CheckpointOf(PickleOf(DictOf("N"))), "no tensors at its top"},
    {"AValueThatIsNone",
     CheckpointOf(PickleOf(absl::StrCat("}", Text("a"), kOneTensor, "s",
                                        Text("b"), "cposix\nsystem\n)Rs"))),
     "\"b\" is a \"posix.system\", not a tensor"},
    {"NameANumber",
     CheckpointOf(PickleOf(absl::StrCat("}K\x01", kOneTensor, "s"))),
     "name is not a text"},
    {"NameNotUtf8",
     CheckpointOf(PickleOf(absl::StrCat("}", Text("\xff"), kOneTensor, "s"))),
     "name is not a text"},
    {"TensorTwice",
     CheckpointOf(PickleOf(absl::StrCat("}", Text("a"), kOneTensor, "s",
                                        Text("a"), kOneTensor, "s"))),
     "is there twice"},
};

INSTANTIATE_TEST_SUITE_P(Files, CheckpointFault,
                         ::testing::ValuesIn(kFileFaults),
                         [](const auto& info) { return info.param.name; });

TEST(StoredZip, EntriesMayNotShareBytes) {
  // The second entry's header lies in the data of the first.
  const std::string inner = ZipOf({{"b", "x"}});
  std::string file = ZipOf({{"a", inner}});
  const std::string listed = inner.substr(inner.find("PK\x01\x02"), 47);
  const size_t directory = file.rfind("PK\x01\x02");
  std::string second = listed;
  second.replace(42, 4, Raw(uint32_t{31}));
  const size_t end = file.rfind("PK\x05\x06");
  file.insert(end, second);
  file.replace(end + 47 + 10, 2, Raw(uint16_t{2}));
  file.replace(end + 47 + 12, 4,
               Raw(static_cast<uint32_t>(end + 47 - directory)));
  EXPECT_THAT(std::string(ReadStoredZip(BytesOf(file)).status().message()),
              HasSubstr("overlap"));
}

TEST(StripPrefix, TakesOffWhatAllNamesHave) {
  std::map<std::string, TensorBytes> tensors = {
      {"module.patch_embed1.conv.0.weight", {}}, {"module.head.weight", {}}};
  EXPECT_EQ(*StripPrefix(&tensors), "module.");
  EXPECT_TRUE(tensors.contains("head.weight"));
  tensors = {{"m.patch_embed1.conv.0.weight", {}}, {"queue", {}}};
  EXPECT_THAT(std::string(StripPrefix(&tensors).status().message()),
              HasSubstr("\"queue\" does not begin with \"m.\""));
  tensors = {{"conv1.weight", {}}};
  EXPECT_THAT(std::string(StripPrefix(&tensors).status().message()),
              HasSubstr("no GroupMamba"));
}

}  // namespace
}  // namespace groupmamba
