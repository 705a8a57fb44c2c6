#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;

// A folder of a model with three classes, written anew for each test.
class ReadModelFolderTest : public ::testing::Test {
 protected:
  ReadModelFolderTest() {
    ModelConfig config = *PublishedVariant("tiny");
    config.classes = 3;
    config.weights_sha256 = std::string(64, '0');
    dir_.Write("models/cats/7/config.json", FormatModelConfig(config));
    WriteLabels("one\ntwo\nthree\n");
  }

  void WriteLabels(absl::string_view text) {
    dir_.Write("models/cats/7/labels.txt", text);
  }

  absl::StatusOr<ModelFolder> Read(const std::string& path = "models/cats/7") {
    return ReadModelFolder(dir_.Path(path));
  }

  void ExpectLabelsFault(absl::string_view text, const char* says) {
    WriteLabels(text);
    const auto folder = Read();
    EXPECT_TRUE(absl::IsInvalidArgument(folder.status())) << says;
    EXPECT_THAT(std::string(folder.status().message()),
                HasSubstr(absl::StrCat("labels.txt: ", says)));
  }

  const TempDir dir_;
};

TEST_F(ReadModelFolderTest, TakesNameAndVersionFromThePath) {
  const auto folder = Read();
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->name, "cats");
  EXPECT_EQ(folder->version, 7);
  EXPECT_EQ(folder->path, dir_.Path("models/cats/7"));
  EXPECT_EQ(folder->config.classes, 3);
  EXPECT_THAT(folder->labels, ElementsAre("one", "two", "three"));
}

TEST_F(ReadModelFolderTest, ATrailingSlashChangesNothing) {
  const auto folder = Read("models/cats/7/");
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->name, "cats");
  EXPECT_EQ(folder->version, 7);
}

TEST_F(ReadModelFolderTest, VersionsArePositiveIntegersInTheirShortestForm) {
  for (const char* version : {"0", "-7", "07", "+7", "7a", "v7", " 7", "1e1",
                              "9223372036854775808"}) {
    std::filesystem::copy(dir_.Path("models/cats/7"),
                          dir_.Path(absl::StrCat("models/cats/", version)));
    const auto folder = Read(absl::StrCat("models/cats/", version));
    EXPECT_TRUE(absl::IsInvalidArgument(folder.status())) << version;
    EXPECT_THAT(std::string(folder.status().message()), HasSubstr("version"));
  }
}

TEST_F(ReadModelFolderTest, NamesArePlain) {
  for (const char* name : {".cats", "two cats", "c\nats", "\xc3\xa4"}) {
    std::filesystem::create_directory(dir_.Path(absl::StrCat("models/", name)));
    std::filesystem::copy(dir_.Path("models/cats/7"),
                          dir_.Path(absl::StrCat("models/", name, "/7")));
    EXPECT_TRUE(absl::IsInvalidArgument(
        Read(absl::StrCat("models/", name, "/7")).status()))
        << name;
  }
  EXPECT_TRUE(
      absl::IsInvalidArgument(Read("models/cats/7/../../cats/..").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadModelFolder("7").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadModelFolder("").status()));
}

TEST_F(ReadModelFolderTest, MissingFilesAreNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Read("models/dogs/7").status()));
  std::filesystem::remove(dir_.Path("models/cats/7/labels.txt"));
  EXPECT_TRUE(absl::IsNotFound(Read().status()));
}

TEST_F(ReadModelFolderTest, ConfigurationErrorsNameFileAndKey) {
  dir_.Write("models/cats/7/config.json", "{\"architecture\": \"vit\"}");
  EXPECT_THAT(std::string(Read().status().message()),
              HasSubstr("config.json: key \"architecture\""));
}

TEST_F(ReadModelFolderTest, LabelsMayLackTheLastNewline) {
  WriteLabels("one\ntwo\nthree");
  EXPECT_THAT(Read()->labels, ElementsAre("one", "two", "three"));
}

TEST_F(ReadModelFolderTest, LabelsMayHoldAnyLanguage) {
  WriteLabels("K\xc3\xa4tzchen\n\xe7\x8c\xab\n\xf0\x9f\x90\x88\n");
  EXPECT_THAT(Read()->labels, ElementsAre("K\xc3\xa4tzchen", "\xe7\x8c\xab",
                                          "\xf0\x9f\x90\x88"));
}

TEST_F(ReadModelFolderTest, ThereAreAsManyLabelsAsClasses) {
  ExpectLabelsFault("one\ntwo\n", "has 2 lines");
  ExpectLabelsFault("one\ntwo\nthree\nfour\n", "has 4 lines");
  ExpectLabelsFault("", "has 0 lines");
}

TEST_F(ReadModelFolderTest, LabelsAreUtf8) {
  ExpectLabelsFault("one\nt\xffo\nthree\n", "is not UTF-8");
  ExpectLabelsFault("one\ntwo\nthree\xc3", "is not UTF-8");
  ExpectLabelsFault("one\nt\xc0\x80o\nthree\n", "is not UTF-8");  // overlong
  ExpectLabelsFault("one\nt\xed\xa0\x80o\nthree\n", "is not UTF-8");
}

TEST_F(ReadModelFolderTest, LabelsHoldNoControlCharacters) {
  ExpectLabelsFault("one\r\ntwo\r\nthree\r\n", "line 1 holds a control");
  ExpectLabelsFault("one\ntwo\nth\x1b[31mree\n", "line 3 holds a control");
  ExpectLabelsFault(std::string("one\nt\0o\nthree\n", 14),
                    "line 2 holds a control");
  ExpectLabelsFault("one\ntwo\x7f\nthree\n", "line 2 holds a control");
  ExpectLabelsFault("one\ntwo\xc2\x9b\nthree\n", "line 2 holds a control");
}

TEST_F(ReadModelFolderTest, LabelsHaveOneTo256Bytes) {
  ExpectLabelsFault("one\n\nthree\n", "line 2 is empty");
  ExpectLabelsFault(absl::StrCat("one\ntwo\n", std::string(257, 'x'), "\n"),
                    "line 3 is longer than 256 bytes");
  WriteLabels(absl::StrCat("one\ntwo\n", std::string(256, 'x'), "\n"));
  EXPECT_TRUE(Read().ok());
}

TEST_F(ReadModelFolderTest, AFileBeyondAnyLabelsIsNotRead) {
  WriteLabels(std::string(3 * 257 + 1, 'x'));
  EXPECT_THAT(std::string(Read().status().message()),
              HasSubstr("at most 771 are read"));
}

}  // namespace
}  // namespace groupmamba
