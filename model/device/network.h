// GroupMamba on a device, for serving: the same network as model/network.h
// composed of LibTorch's products and the kernels of kernels/cuda/. Inference
// only.

#ifndef GROUPMAMBA_MODEL_DEVICE_NETWORK_H_
#define GROUPMAMBA_MODEL_DEVICE_NETWORK_H_

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "model/block_spec.h"
#include "model/config.h"
#include "model/device/blocks.h"
#include "model/device/ops.h"
#include "model/network.h"

namespace groupmamba::device {

// FAILED_PRECONDITION where the kernels are not made for the configuration's
// widths: groups of more than 128 channels.
absl::Status CheckSupported(const ModelConfig& config);

// Thread-safety: one forward at a time.
class Network {
 public:
  // Copies the weights to the device. They are on the processor, and have been
  // checked against the configuration (model/weights.h), which CheckSupported
  // accepts.
  Network(const ModelConfig& config, const BlockSpec& spec,
          const TensorMap& weights, const Device& device);

  // Sees each block's output [batch, tokens, channels], in fp32; both counted
  // from 0.
  using Trace =
      std::function<void(int stage, int block, const at::Tensor& output)>;

  // pictures: bytes [batch, height, width, 3] on the device, from 32 x 32.
  // Returns the mean of the heads, [batch, classes], in fp32.
  at::Tensor Forward(const at::Tensor& pictures,
                     const Trace& trace = nullptr) const;

 private:
  // A convolution of step 2 and the norm after it.
  struct Embedding {
    at::Tensor weight;
    Norm norm;
  };
  struct Stage {
    ChannelLayout layout;
    std::vector<Embedding> embedding;  // one
    std::vector<std::unique_ptr<Block>> blocks;
    std::vector<at::Tensor> shifts;  // of the stream after each block
  };

  static Embedding LoadEmbedding(const Device& device,
                                 const ParameterScope& scope,
                                 const ChannelLayout* from,
                                 const ChannelLayout& to);
  Tokens Embed(const Embedding& embedding, const at::Tensor& picture) const;
  at::Tensor Classify(const at::Tensor& tokens) const;

  Device device_;
  Device fp32_;  // the same with fp32 storage, for what decides the logits
  Normalise normalise_;
  std::vector<ConvBatchNormRelu> stem_;
  std::array<Stage, kStages> stages_;
  std::vector<Norm> norms_;  // after each stage; the last one of the summary
  std::unique_ptr<Block> class_block_;  // the released form only
  at::Tensor head_weight_, head_bias_;
};

}  // namespace groupmamba::device

#endif  // GROUPMAMBA_MODEL_DEVICE_NETWORK_H_
