// Every rule by which a V2 request is read: bytes from strangers.

#include "server/v2/infer_request.h"

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/v2/messages.h"
#include "tests/testing/fake_models.h"

namespace groupmamba::v2 {
namespace {

using inference::ModelInferRequest;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kMaxBatch = 4;

class InferRequestTest : public ::testing::Test {
 protected:
  absl::StatusOr<InferRequest> Read(const ModelInferRequest& message) {
    return ReadInferRequest(
        message, *FindView(models_, message.model_name(), ""), kMaxBatch);
  }

  // That the request is refused once `change` was made to it; the message.
  std::string Refusal(ModelInferRequest message,
                      const std::function<void(ModelInferRequest*)>& change) {
    EXPECT_TRUE(Read(message).ok());
    change(&message);
    const absl::Status status = Read(message).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  Admission admission_{{}};
  Metrics metrics_{&admission_};
  ModelRepository models_{OneFakeModel({}, &metrics_, RealClock::Get()), ""};
};

std::string TextOf(const Picture& picture) {
  return std::string(picture.bytes.begin(), picture.bytes.end());
}

// PixelsRequest({1}) with typed contents.
ModelInferRequest TypedPixels() {
  ModelInferRequest request = PixelsRequest({1});
  request.clear_raw_input_contents();
  for (int i = 0; i < kPictureBytes; ++i) {
    request.mutable_inputs(0)->mutable_contents()->add_uint_contents(i % 256);
  }
  return request;
}

TEST_F(InferRequestTest, RawPixelsAreCutIntoPicturesWithoutACopy) {
  const ModelInferRequest message = PixelsRequest({7, 8, 9});
  const auto request = Read(message);
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->pictures.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const Picture& picture = request->pictures[i];
    EXPECT_EQ(picture.kind, Picture::Kind::kModelInput);
    EXPECT_EQ(picture.width, kSide);
    EXPECT_EQ(picture.height, kSide);
    EXPECT_EQ(TextOf(picture),
              std::string(kPictureBytes, static_cast<char>(7 + i)));
  }
  EXPECT_EQ(static_cast<const void*>(request->pictures[0].bytes.data()),
            message.raw_input_contents(0).data());
}

TEST_F(InferRequestTest, TypedPixelsAreUnpacked) {
  const ModelInferRequest message = TypedPixels();
  absl::StatusOr<InferRequest> read = Read(message);
  ASSERT_TRUE(read.ok()) << read.status();
  const InferRequest request = *std::move(read);  // the bytes move along
  ASSERT_EQ(request.pictures.size(), 1u);
  const std::string bytes = TextOf(request.pictures[0]);
  ASSERT_EQ(bytes.size(), static_cast<size_t>(kPictureBytes));
  EXPECT_EQ(static_cast<uint8_t>(bytes[255]), 255);
  EXPECT_EQ(static_cast<uint8_t>(bytes[256]), 0);
}

TEST_F(InferRequestTest, FilesComeRawOrTyped) {
  ModelInferRequest message = EncodedRequest({"abc", "", "d"});
  auto request = Read(message);
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->pictures.size(), 3u);
  EXPECT_EQ(request->pictures[0].kind, Picture::Kind::kFile);
  EXPECT_EQ(TextOf(request->pictures[0]), "abc");
  EXPECT_EQ(TextOf(request->pictures[1]), "");
  EXPECT_EQ(TextOf(request->pictures[2]), "d");

  message.clear_raw_input_contents();
  for (const char* file : {"abc", "", "d"}) {
    message.mutable_inputs(0)->mutable_contents()->add_bytes_contents(file);
  }
  request = Read(message);
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->pictures.size(), 3u);
  EXPECT_EQ(TextOf(request->pictures[2]), "d");
}

TEST_F(InferRequestTest, ABatchIsFromOneToTheLimit) {
  EXPECT_TRUE(Read(PixelsRequest({1, 2, 3, 4})).ok());
  for (int64_t batch : {int64_t{0}, int64_t{-1}, int64_t{5}, INT64_MAX,
                        INT64_MIN, (int64_t{1} << 32) + 1}) {
    EXPECT_THAT(Refusal(PixelsRequest({1}),
                        [=](ModelInferRequest* message) {
                          message->mutable_inputs(0)->set_shape(0, batch);
                        }),
                StartsWith("bad_batch: a request holds 1 to 4 pictures"));
    EXPECT_THAT(Refusal(EncodedRequest({"a"}),
                        [=](ModelInferRequest* message) {
                          message->mutable_inputs(0)->set_shape(0, batch);
                        }),
                StartsWith("bad_batch: "));
  }
}

TEST_F(InferRequestTest, TheShapeIsTheModels) {
  const std::vector<std::vector<int64_t>> shapes = {{},
                                                    {1},
                                                    {32, 32, 3},
                                                    {1, 3, 32, 32},
                                                    {1, 32, 32, 4},
                                                    {1, 32, 31, 3},
                                                    {1, 32, -1, 3},
                                                    {1, 32, 32, 3, 1},
                                                    {1, 64, 16, 3}};
  for (const auto& shape : shapes) {
    EXPECT_THAT(Refusal(PixelsRequest({1}),
                        [&](ModelInferRequest* message) {
                          message->mutable_inputs(0)->mutable_shape()->Assign(
                              shape.begin(), shape.end());
                        }),
                StartsWith("bad_tensor: the input's shape is [N, 32, 32, 3]"))
        << ::testing::PrintToString(shape);
  }
  EXPECT_THAT(Refusal(EncodedRequest({"a"}),
                      [](ModelInferRequest* message) {
                        message->mutable_inputs(0)->set_shape(1, 2);
                      }),
              StartsWith("bad_tensor: the input's shape is [N, 1]"));
}

TEST_F(InferRequestTest, OneInputByItsNameAndDatatype) {
  const char once[] = "bad_tensor: the model takes one input, 'pixels'";
  EXPECT_THAT(Refusal(PixelsRequest({1}),
                      [](ModelInferRequest* m) { m->clear_inputs(); }),
              StartsWith(once));
  EXPECT_THAT(
      Refusal(PixelsRequest({1}),
              [](ModelInferRequest* m) { *m->add_inputs() = m->inputs(0); }),
      StartsWith(once));
  EXPECT_THAT(Refusal(PixelsRequest({1}),
                      [](ModelInferRequest* m) {
                        m->mutable_inputs(0)->set_name("encoded");
                      }),
              StartsWith(once));
  for (const char* datatype : {"", "INT8", "FP32", "uint8", "BYTES"}) {
    EXPECT_THAT(Refusal(PixelsRequest({1}),
                        [=](ModelInferRequest* m) {
                          m->mutable_inputs(0)->set_datatype(datatype);
                        }),
                StartsWith("bad_tensor: the input's datatype is UINT8"));
  }
}

TEST_F(InferRequestTest, RawAndTypedExcludeEachOther) {
  EXPECT_THAT(
      Refusal(PixelsRequest({1}),
              [](ModelInferRequest* m) {
                m->mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
              }),
      HasSubstr("exclude each other"));
  EXPECT_THAT(
      Refusal(PixelsRequest({1}),
              [](ModelInferRequest* m) { m->add_raw_input_contents(); }),
      HasSubstr("more entries than inputs"));
  EXPECT_THAT(
      Refusal(PixelsRequest({1}),
              [](ModelInferRequest* m) { m->clear_raw_input_contents(); }),
      HasSubstr("no contents"));
}

TEST_F(InferRequestTest, RawPixelsHaveTheShapesSize) {
  EXPECT_THAT(Refusal(PixelsRequest({1, 2}),
                      [](ModelInferRequest* m) {
                        m->mutable_raw_input_contents(0)->pop_back();
                      }),
              HasSubstr("6143 bytes; its shape asks for 6144"));
  EXPECT_THAT(Refusal(PixelsRequest({1}),
                      [](ModelInferRequest* m) {
                        m->mutable_raw_input_contents(0)->push_back('x');
                      }),
              HasSubstr("3073 bytes"));
}

TEST_F(InferRequestTest, TypedPixelsHaveTheirFieldTheirCountAndTheirRange) {
  const auto contents = [](ModelInferRequest* m) {
    return m->mutable_inputs(0)->mutable_contents();
  };
  EXPECT_THAT(Refusal(TypedPixels(),
                      [&](ModelInferRequest* m) {
                        contents(m)->mutable_uint_contents()->RemoveLast();
                      }),
              HasSubstr("3071 elements; its shape asks for 3072"));
  EXPECT_THAT(Refusal(TypedPixels(),
                      [&](ModelInferRequest* m) {
                        contents(m)->set_uint_contents(5, 256);
                      }),
              HasSubstr("above 255"));
  EXPECT_THAT(
      Refusal(TypedPixels(),
              [&](ModelInferRequest* m) { contents(m)->add_fp32_contents(1); }),
      HasSubstr("uint_contents alone"));
  const std::function<void(inference::InferTensorContents*)> others[] = {
      [](auto* c) { c->add_bool_contents(true); },
      [](auto* c) { c->add_int_contents(1); },
      [](auto* c) { c->add_int64_contents(1); },
      [](auto* c) { c->add_uint64_contents(1); },
      [](auto* c) { c->add_fp32_contents(1); },
      [](auto* c) { c->add_fp64_contents(1); },
      [](auto* c) { c->add_bytes_contents("x"); },
  };
  for (const auto& add : others) {
    EXPECT_THAT(Refusal(TypedPixels(),
                        [&](ModelInferRequest* m) {
                          contents(m)->Clear();
                          add(contents(m));
                        }),
                HasSubstr("uint_contents alone"));
  }
}

TEST_F(InferRequestTest, LengthsOfRawFilesMustAddUp) {
  const auto with_raw = [&](const std::string& raw) {
    return Refusal(EncodedRequest({"ab", "c"}), [&](ModelInferRequest* m) {
      m->set_raw_input_contents(0, raw);
    });
  };
  const std::string ab("\2\0\0\0ab", 6);
  const std::string c("\1\0\0\0c", 5);
  const char shorter[] = "bad_tensor: a BYTES element is shorter";
  EXPECT_THAT(with_raw(""), StartsWith(shorter));
  EXPECT_THAT(with_raw(ab), StartsWith(shorter));
  EXPECT_THAT(with_raw(ab + c.substr(0, 3)), StartsWith(shorter));
  EXPECT_THAT(with_raw(ab + c.substr(0, 4)), StartsWith(shorter));
  EXPECT_THAT(with_raw(std::string(8, '\xff')), StartsWith(shorter));
  EXPECT_THAT(with_raw(ab + std::string("\xff\xff\xff\x7f", 4) + "c"),
              StartsWith(shorter));
  EXPECT_THAT(with_raw(ab + c + "x"), HasSubstr("more BYTES elements"));
  EXPECT_THAT(with_raw(ab + c + c), HasSubstr("more BYTES elements"));
}

TEST_F(InferRequestTest, TypedFilesHaveTheShapesCount) {
  ModelInferRequest message = EncodedRequest({"a", "b"});
  message.clear_raw_input_contents();
  message.mutable_inputs(0)->mutable_contents()->add_bytes_contents("a");
  EXPECT_THAT(std::string(Read(message).status().message()),
              HasSubstr("1 elements; its shape asks for 2"));
}

TEST_F(InferRequestTest, OutputsAreNoneOrTheOne) {
  ModelInferRequest message = PixelsRequest({1});
  EXPECT_EQ(Read(message)->classification, 0);
  auto* output = message.add_outputs();
  output->set_name("probabilities");
  EXPECT_EQ(Read(message)->classification, 0);
  (*output->mutable_parameters())["classification"].set_int64_param(3);
  EXPECT_EQ(Read(message)->classification, 3);

  const char once[] = "bad_tensor: the model gives one output, 'probabilities'";
  EXPECT_THAT(
      Refusal(message,
              [](ModelInferRequest* m) { *m->add_outputs() = m->outputs(0); }),
      StartsWith(once));
  EXPECT_THAT(Refusal(message,
                      [](ModelInferRequest* m) {
                        m->mutable_outputs(0)->set_name("logits");
                      }),
              StartsWith(once));
}

TEST_F(InferRequestTest, BadParametersAnywhereAreRefused) {
  ModelInferRequest message = PixelsRequest({1});
  (*message.mutable_parameters())["priority"].set_uint64_param(1);
  EXPECT_EQ(Read(message)->parameters.priority, Priority::kHigh);
  EXPECT_THAT(
      Refusal(message,
              [](ModelInferRequest* m) {
                (*m->mutable_parameters())["timeout"].set_int64_param(-1);
              }),
      StartsWith("bad_parameter: timeout"));
  EXPECT_THAT(Refusal(message,
                      [](ModelInferRequest* m) {
                        (*m->mutable_inputs(0)
                              ->mutable_parameters())["shared_memory_region"]
                            .set_string_param("r");
                      }),
              StartsWith("bad_parameter: this server has no shared memory"));
}

}  // namespace
}  // namespace groupmamba::v2
