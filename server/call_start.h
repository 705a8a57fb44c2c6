// A call's headers as the records take them.

#ifndef GROUPMAMBA_SERVER_CALL_START_H_
#define GROUPMAMBA_SERVER_CALL_START_H_

#include <zlib.h>

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/server_context.h"
#include "server/call_records.h"

namespace groupmamba {

inline constexpr char kRequestIdHeader[] = "x-request-id";

// Empty where there is none; the first of several.
inline absl::string_view HeaderOf(const grpc::CallbackServerContext& context,
                                  const char* name) {
  const auto& headers = context.client_metadata();
  const auto found = headers.find(name);
  if (found == headers.end()) return {};
  return {found->second.data(), found->second.size()};
}

// CRC-32 of the message's bytes, as its sender serialised it; 0 where the
// records want none.
inline uint32_t CrcFor(const CallRecords& records,
                       const google::protobuf::MessageLite& message) {
  if (!records.wants_crc()) return 0;
  const std::string bytes = message.SerializeAsString();
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

inline CallInfo BeginCall(CallRecords* records, Protocol protocol,
                          grpc::CallbackServerContext* context,
                          const google::protobuf::MessageLite& message) {
  CallInfo call = records->Begin(protocol, HeaderOf(*context, kRequestIdHeader),
                                 HeaderOf(*context, "traceparent"));
  call.crc = CrcFor(*records, message);
  context->AddTrailingMetadata(kRequestIdHeader, call.id);
  return call;
}

inline CallInfo BeginStream(const CallRecords& records, Protocol protocol,
                            const grpc::CallbackServerContext& context) {
  return records.BeginStream(protocol, HeaderOf(context, kRequestIdHeader),
                             HeaderOf(context, "traceparent"));
}

inline CallInfo BeginItem(CallRecords* records, const CallInfo& stream,
                          const std::string& item_id,
                          const google::protobuf::MessageLite& message) {
  CallInfo call = records->BeginItem(stream, item_id);
  call.crc = CrcFor(*records, message);
  return call;
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CALL_START_H_
