// Clients that mean harm, or send rubbish: the server ends their connections,
// says why in its metrics, and serves the others.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/certificate_maker.h"
#include "tests/testing/raw_http2.h"
#include "tests/testing/server_process.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using namespace groupmamba::testing;  // frames
                                      // NOLINT(google-build-using-namespace)

class GuardTest : public ServerFixture {
 protected:
  static std::shared_ptr<grpc::Channel> NewChannel(int port) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                     grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  // An honest call by a connection of its own.
  bool Serves() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    return v1::Classifier::NewStub(NewChannel(server_->port()))
        ->ListModels(&context, {}, &response)
        .ok();
  }

  // Sends the same again and again until the server has had enough. `opening`
  // begins the connection; stream numbers are put in by `piece`.
  template <typename Piece>
  void ExpectFloodIsEnded(const char* reason, const std::string& opening,
                          const Piece& piece, bool tls = false) {
    RawConnection connection(server_->port(), tls);
    ASSERT_TRUE(connection.Send(opening));
    std::string chunk;
    for (uint32_t i = 0; i < 1'000'000; ++i) {
      chunk += piece(2 * i + 1);
      if (chunk.size() < 16'000) continue;
      if (!connection.Send(chunk)) break;
      chunk.clear();
    }
    EXPECT_TRUE(connection.AwaitEnd());
    AwaitMetric(absl::StrCat("groupmamba_connections_abused_total{reason=\"",
                             reason, "\"} 1\n"));
  }

  void AwaitMetric(const std::string& line) const {
    const TimePoint until = RealClock::Get()->Now() + std::chrono::seconds(20);
    while (RealClock::Get()->Now() < until) {
      if (HasLine(line)) return;
    }
    ADD_FAILURE() << "no " << line;
  }

  bool HasLine(const std::string& line) const {
    return server_->metrics().Page().find("\n" + line) != std::string::npos;
  }

  static std::string Call(uint32_t stream) {
    return Frame(kHeaders, kEndHeaders, stream, ClassifyHeaders());
  }
};

TEST_F(GuardTest, RapidResetIsEnded) {
  Start();
  ExpectFloodIsEnded(
      "resets", Preface() + Frame(kSettings, kAck, 0), [](uint32_t stream) {
        return Call(stream) + Frame(kRstStream, 0, stream, "1234");
      });
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, FloodsOfControlFramesAreEnded) {
  const std::string frames[] = {Frame(kPing, 0, 0, "12345678"),
                                Frame(kSettings, 0, 0), Frame(kData, 0, 1)};
  for (const std::string& frame : frames) {
    Start();
    // With a call, so that data has a stream to belong to.
    ExpectFloodIsEnded("control_frames",
                       Preface() + Frame(kSettings, kAck, 0) + Call(1),
                       [&](uint32_t) { return frame; });
    EXPECT_TRUE(Serves());
  }
}

TEST_F(GuardTest, HeadersWithoutEndAreEnded) {
  Start();
  // One header whose value is said to have 100 MB.
  const std::string endless =
      ClassifyHeaders() + std::string(1, '\0') + "\x01x\x7f\x80\x80\x80\x30";
  ExpectFloodIsEnded(
      "headers",
      Preface() + Frame(kSettings, kAck, 0) + Frame(kHeaders, 0, 1, endless),
      [](uint32_t) {
        return Frame(kContinuation, 0, 1, std::string(1000, 'x'));
      });
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, StreamsBeforeTheSettingsAreAcknowledgedAreLimited) {
  Start();
  ExpectFloodIsEnded("early_streams", Preface(),
                     [](uint32_t stream) { return Call(stream); });
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, Http1IsEnded) {
  Start();
  RawConnection connection(server_->port());
  ASSERT_TRUE(connection.Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_TRUE(connection.AwaitEnd());
  AwaitMetric("groupmamba_connections_abused_total{reason=\"not_http2\"} 1\n");
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, StalledUploadsDoNotFillTheMemory) {
  ServerOptions options = Options();
  options.transport.upload_bytes = 8 << 20;
  Start(options);
  // A slow one that goes on honestly beside them.
  RawConnection honest(server_->port());
  ASSERT_TRUE(honest.Send(
      Preface() + Frame(kSettings, kAck, 0) + Call(1) +
      Frame(kData, 0, 1, MessagePrefix(20'000) + std::string(10'000, 'x'))));
  // Small windows do not hold it up: each stream may send some unasked.
  RawConnection connection(server_->port());
  ASSERT_TRUE(connection.Send(Preface() + Frame(kSettings, kAck, 0)));
  for (uint32_t stream = 1; stream < 2000; stream += 2) {
    if (!connection.Send(Call(stream) + Frame(kData, 0, stream,
                                              MessagePrefix(4 << 20) +
                                                  std::string(16'000, 'x')))) {
      break;
    }
  }
  EXPECT_TRUE(connection.AwaitEnd());
  AwaitMetric("groupmamba_connections_abused_total{reason=\"uploads\"} 1\n");
  EXPECT_TRUE(
      honest.Send(Frame(kData, kEndStream, 1, std::string(10'000, 'x'))));
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, AMessageThatDoesNotArriveEndsItsConnection) {
  ServerOptions options = Options();
  options.transport.receive_timeout = std::chrono::milliseconds(50);
  Start(options);
  RawConnection connection(server_->port());
  ASSERT_TRUE(connection.Send(Preface() + Frame(kSettings, kAck, 0) + Call(1) +
                              Frame(kData, 0, 1, MessagePrefix(100) + "x")));
  EXPECT_TRUE(connection.AwaitEnd());
  AwaitMetric("groupmamba_connections_abused_total{reason=\"slow\"} 1\n");
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, AConnectionThatSaysNothingIsEnded) {
  ServerOptions options = Options();
  options.transport.limits.handshake_timeout = std::chrono::milliseconds(50);
  Start(options);
  RawConnection silent(server_->port());
  EXPECT_TRUE(silent.AwaitEnd());
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, TlsHidesNothing) {
  const TempDir folder;
  const Authority authority("authority");
  const Identity identity = authority.Issue("server");
  ServerOptions options = Options();
  options.transport.secrets.tls = {
      .certificate = folder.Write("cert.pem", identity.certificate),
      .key = folder.Write("key.pem", identity.key),
      .client_authorities = ""};
  Start(options);
  ExpectFloodIsEnded(
      "resets", Preface() + Frame(kSettings, kAck, 0),
      [](uint32_t stream) {
        return Call(stream) + Frame(kRstStream, 0, stream, "1234");
      },
      true);
}

TEST_F(GuardTest, ConnectionsBeyondTheirNumberAreClosedAndCounted) {
  ServerOptions options = Options();
  options.transport.max_connections = 2;
  Start(options);
  {
    RawConnection first(server_->port());
    RawConnection second(server_->port());
    AwaitMetric("groupmamba_connections 2\n");
    RawConnection third(server_->port());
    EXPECT_TRUE(third.AwaitEnd());
    AwaitMetric("groupmamba_connections_refused_total 1\n");
  }
  AwaitMetric("groupmamba_connections 0\n");
  EXPECT_TRUE(Serves());
}

TEST_F(GuardTest, HonestClientsAreNotTakenForAbuse) {
  Start();
  v1::ClassifyRequest request;
  request.mutable_raw()->set_width(1);
  request.mutable_raw()->set_height(1);
  request.mutable_raw()->set_rgb("rgb");
  const auto stub = v1::Classifier::NewStub(NewChannel(server_->port()));
  const auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      grpc::ClientContext context;
      if (i % 32 == 0) context.TryCancel();
      v1::ClassifyResponse response;
      EXPECT_EQ(stub->Classify(&context, request, &response).ok(), i % 32 != 0);
    }
    grpc::ClientContext context;
    const auto stream = stub->ClassifyStream(&context);
    v1::ClassifyStreamRequest item;
    *item.mutable_request() = request;
    v1::ClassifyStreamResponse response;
    for (int i = 0; i < 2000; ++i) {
      ASSERT_TRUE(stream->Write(item) && stream->Read(&response));
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  };
  std::thread other(work);
  work();
  other.join();
  for (int i = 0; i < kAbuseCount; ++i) {
    EXPECT_TRUE(HasLine(absl::StrCat(
        "groupmamba_connections_abused_total{reason=\"",
        absl::string_view(AbuseName(static_cast<Abuse>(i))), "\"} 0\n")));
  }
  EXPECT_TRUE(HasLine("groupmamba_connections 1\n"));
}

// The process's limit of open files, filled by connections that say nothing.
TEST(FileDescriptorsTest, WhenTheyAreUsedUpTheServerHeals) {
#ifdef GM_UNDEFINED_SANITIZER
  GTEST_SKIP() << "the sanitizer opens a pipe to see whether an object is "
                  "there, and without one takes it for gone";
#endif
  ServerProcess server(
      "/bin/sh",
      {"-c", "ulimit -n 64; exec " GM_BIN_DIR
             "/groupmamba-server --engine=fake:0 --listen=127.0.0.1:0 "
             "--metrics=127.0.0.1:0 --max-connections=1000"});
  ASSERT_TRUE(server.AwaitServing());
  {
    std::vector<std::unique_ptr<RawConnection>> idle;
    for (int i = 0; i < 200; ++i) {
      idle.push_back(std::make_unique<RawConnection>(server.port()));
    }
    // The last cannot have been let in, and is told so.
    EXPECT_TRUE(idle.back()->AwaitEnd());
  }
  const auto channel =
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()),
                          grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(5));
  v1::ListModelsResponse response;
  const grpc::Status status =
      v1::Classifier::NewStub(channel)->ListModels(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace groupmamba
