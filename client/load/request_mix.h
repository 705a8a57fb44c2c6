// The requests of a load test, serialised once, and which of them each call
// sends.

#ifndef GROUPMAMBA_CLIENT_LOAD_REQUEST_MIX_H_
#define GROUPMAMBA_CLIENT_LOAD_REQUEST_MIX_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/load/target.h"

namespace groupmamba::client {

// The requests of one model, which are sent in turn.
struct LoadRequests {
  // Serialises one more.
  void Add(const google::protobuf::MessageLite& request);

  double weight = 1;  // how often this model is called, beside the others'
  std::vector<grpc::ByteBuffer> messages;  // at least one
  std::vector<uint32_t> crcs;              // CRC-32 of each message
};

// A model that is called.
struct LoadModel {
  std::string name;     // as the server says it
  int64_t version = 0;  // 0: the server named none
  LoadRequests requests;
};

// What came back.
struct LoadReply {
  std::string id = {};  // of the request; empty: the reply names none
  uint32_t crc = 0;  // CRC-32 of the request as the server saw it; 0: unknown
  LoadAnswer answer = {};
};

// Thread-safe.
class RequestMix {
 public:
  // At least one model. Which one is called is drawn by weight, from the seed
  // and the call's index. `name`: of the run, before a dash in the request ids;
  // may be empty, and then they are the index alone.
  RequestMix(std::vector<LoadRequests> models, uint64_t seed, std::string name);

  // What call `index` sends, and the CRC-32 of that. Lives as long as this.
  const grpc::ByteBuffer& Message(int64_t index) const;
  uint32_t Crc(int64_t index) const;

  // By which a server's journal knows the call, and back; -1: none of ours.
  std::string RequestId(int64_t index) const;
  int64_t IndexOf(absl::string_view request_id) const;

  // The reply's answer; DATA_LOSS where the reply is to another request than
  // `index`.
  LoadAnswer AnswerTo(int64_t index, const LoadReply& reply) const;

  // Whether the requests carry their ids to the server.
  bool is_named() const { return !prefix_.empty(); }

 private:
  size_t ModelOf(int64_t index) const;

  const std::vector<LoadRequests> models_;
  const uint64_t seed_;
  const std::string prefix_;
  double weights_ = 0;  // their sum
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_REQUEST_MIX_H_
