// Our API, groupmamba.v1.Classifier, on gRPC's callback interface: translates
// between messages and the pipeline, and holds no logic of its own.

#ifndef GROUPMAMBA_SERVER_CLASSIFY_SERVICE_H_
#define GROUPMAMBA_SERVER_CLASSIFY_SERVICE_H_

#include "base/clock.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "server/call_records.h"
#include "server/client_id.h"
#include "server/model_repository.h"
#include "server/open_streams.h"
#include "server/pipeline.h"

namespace groupmamba {

// Thread-safe. The pointers must outlive it.
class ClassifyService final : public v1::Classifier::CallbackService {
 public:
  ClassifyService(Pipeline* pipeline, const ModelRepository* models,
                  CallRecords* records, OpenStreams* streams, Proof proof,
                  const Clock* clock)
      : pipeline_(pipeline),
        models_(models),
        records_(records),
        streams_(streams),
        proof_(proof),
        clock_(clock) {}

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context,
                                     const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override;

  grpc::ServerBidiReactor<v1::ClassifyStreamRequest,
                          v1::ClassifyStreamResponse>*
  ClassifyStream(grpc::CallbackServerContext* context) override;

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;

 private:
  TimePoint ItemDeadline(const v1::ClassifyStreamRequest& item,
                         TimePoint stream_deadline) const;

  Pipeline* const pipeline_;
  const ModelRepository* const models_;
  CallRecords* const records_;
  OpenStreams* const streams_;
  const Proof proof_;
  const Clock* const clock_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CLASSIFY_SERVICE_H_
