// What the V2 protocol tells about the server and its models.

#ifndef GROUPMAMBA_SERVER_V2_DESCRIBE_H_
#define GROUPMAMBA_SERVER_V2_DESCRIBE_H_

#include <string>

#include "base/clock.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/v2/model_view.h"

namespace groupmamba::v2 {

// What of the server's settings a client may want to know.
struct ServingLimits {
  int max_batch = 8;  // pictures in one request
  int max_waiting = 256;
  Duration default_deadline = {};
};

void Describe(const std::string& server_version,
              inference::ServerMetadataResponse* response);
void Describe(const ModelView& view,
              inference::ModelMetadataResponse* response);
void Describe(const ModelView& view, const ServingLimits& limits,
              inference::ModelConfig* config);
void Describe(const ModelView& view,
              inference::RepositoryIndexResponse::ModelIndex* index);

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_DESCRIBE_H_
