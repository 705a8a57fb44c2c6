// The open inference protocol, version 2, on gRPC's callback interface:
// translates between messages and the pipeline; its nouns are in server/v2.

#ifndef GROUPMAMBA_SERVER_V2_SERVICE_H_
#define GROUPMAMBA_SERVER_V2_SERVICE_H_

#include "proto/inference/grpc_service.grpc.pb.h"
#include "server/call_records.h"
#include "server/client_id.h"
#include "server/health.h"
#include "server/model_control.h"
#include "server/open_streams.h"
#include "server/v2/describe.h"
#include "server/v2/infer_call.h"
#include "server/v2/statistics.h"

namespace groupmamba {

// Thread-safe. The pointers must outlive it.
class V2Service final
    : public inference::GRPCInferenceService::CallbackService {
 public:
  // `control`: loads and unloads models; null: callers of this service may not.
  V2Service(Pipeline* pipeline, const ModelRepository* models, Metrics* metrics,
            HealthService* health, CallRecords* records, OpenStreams* streams,
            v2::Statistics* statistics, ModelControl* control,
            const v2::ServingLimits& limits, Proof proof, const Clock* clock);

  grpc::ServerUnaryReactor* ServerLive(
      grpc::CallbackServerContext* context,
      const inference::ServerLiveRequest* request,
      inference::ServerLiveResponse* response) override;

  // As health says.
  grpc::ServerUnaryReactor* ServerReady(
      grpc::CallbackServerContext* context,
      const inference::ServerReadyRequest* request,
      inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(
      grpc::CallbackServerContext* context,
      const inference::ModelReadyRequest* request,
      inference::ModelReadyResponse* response) override;

  grpc::ServerUnaryReactor* ServerMetadata(
      grpc::CallbackServerContext* context,
      const inference::ServerMetadataRequest* request,
      inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(
      grpc::CallbackServerContext* context,
      const inference::ModelMetadataRequest* request,
      inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelConfig(
      grpc::CallbackServerContext* context,
      const inference::ModelConfigRequest* request,
      inference::ModelConfigResponse* response) override;
  grpc::ServerUnaryReactor* ModelStatistics(
      grpc::CallbackServerContext* context,
      const inference::ModelStatisticsRequest* request,
      inference::ModelStatisticsResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryIndex(
      grpc::CallbackServerContext* context,
      const inference::RepositoryIndexRequest* request,
      inference::RepositoryIndexResponse* response) override;

  grpc::ServerUnaryReactor* ModelInfer(
      grpc::CallbackServerContext* context,
      const inference::ModelInferRequest* request,
      inference::ModelInferResponse* response) override;

  // Answers in the order of the requests. One that fails has its error in its
  // answer, and the stream goes on.
  grpc::ServerBidiReactor<inference::ModelInferRequest,
                          inference::ModelStreamInferResponse>*
  ModelStreamInfer(grpc::CallbackServerContext* context) override;

  // Answered when it is done. Without control: kNoModelControl.
  grpc::ServerUnaryReactor* RepositoryModelLoad(
      grpc::CallbackServerContext* context,
      const inference::RepositoryModelLoadRequest* request,
      inference::RepositoryModelLoadResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelUnload(
      grpc::CallbackServerContext* context,
      const inference::RepositoryModelUnloadRequest* request,
      inference::RepositoryModelUnloadResponse* response) override;

 private:
  v2::Caller CallerOf(const grpc::CallbackServerContext& context) const;

  const ModelRepository* const models_;
  CallRecords* const records_;
  OpenStreams* const streams_;
  HealthService* const health_;
  const v2::ServingLimits limits_;
  v2::Statistics* const statistics_;
  ModelControl* const control_;
  const Proof proof_;
  const v2::InferContext infer_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_V2_SERVICE_H_
