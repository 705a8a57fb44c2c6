#include "tests/reference/naive_network.h"

#include <string>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/autocast_mode.h"
#include "ATen/ops/batch_norm.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/relu.h"
#include "ATen/ops/sigmoid.h"
#include "ATen/ops/silu.h"
#include "model/scan_op.h"

namespace groupmamba::reference {
namespace {

using at::Tensor;

class NaiveNetwork {
 public:
  NaiveNetwork(const ModelConfig& config, const TensorMap& weights)
      : config_(config), weights_(weights) {}

  Tensor Logits(const Tensor& pictures) const {
    Tensor picture = pictures;
    for (const int index : {0, 3, 6}) picture = StemLayer(index, picture);
    Tensor x;
    for (int s = 0; s < kStages; ++s) {
      const std::string stage = std::to_string(s + 1);
      Grid grid;
      x = Embed("patch_embed" + stage, picture, &grid);
      for (int i = 0; i < config_.depths[s]; ++i) {
        x = Block("block" + stage + "." + std::to_string(i), x, grid);
      }
      if (s + 1 == kStages) break;
      picture = Picture(Norm("norm" + stage, x, kBranchEpsilon), grid);
    }
    const Tensor y = Norm("norm4", ClassToken(x), kBranchEpsilon);
    return (Linear("head", y) + Linear("dist_head", y)) / 2;
  }

 private:
  static constexpr double kBranchEpsilon = 1e-6;
  static constexpr double kEpsilon = 1e-5;

  const Tensor& Get(const std::string& name) const { return weights_.at(name); }
  Tensor Linear(const std::string& name, const Tensor& x) const {
    return at::linear(x, Get(name + ".weight"), Get(name + ".bias"));
  }
  Tensor Norm(const std::string& name, const Tensor& x, double epsilon) const {
    return at::layer_norm(x, {x.size(-1)}, Get(name + ".weight"),
                          Get(name + ".bias"), epsilon);
  }
  static Tensor Picture(const Tensor& tokens, Grid grid) {
    return tokens.transpose(1, 2)
        .reshape({tokens.size(0), tokens.size(2), grid.height, grid.width})
        .contiguous();
  }
  static Tensor Tokens(const Tensor& picture) {
    return picture.flatten(2).transpose(1, 2).contiguous();
  }
  Tensor Depthwise(const std::string& name, const Tensor& tokens,
                   Grid grid) const {
    const Tensor& weight = Get(name + ".weight");
    return at::conv2d(Picture(tokens, grid), weight, Get(name + ".bias"),
                      /*stride=*/1, /*padding=*/1, /*dilation=*/1,
                      /*groups=*/weight.size(0));
  }

  Tensor StemLayer(int index, const Tensor& x) const {
    const std::string conv = "patch_embed1.conv." + std::to_string(index);
    const std::string norm = "patch_embed1.conv." + std::to_string(index + 1);
    const Tensor& weight = Get(conv + ".weight");
    const Tensor y = at::conv2d(x, weight, {}, /*stride=*/index == 0 ? 2 : 1,
                                /*padding=*/weight.size(2) / 2);
    return at::relu(at::batch_norm(
        y, Get(norm + ".weight"), Get(norm + ".bias"),
        Get(norm + ".running_mean"), Get(norm + ".running_var"),
        /*training=*/false, /*momentum=*/0, kEpsilon, /*cudnn_enabled=*/true));
  }

  Tensor Embed(const std::string& name, const Tensor& picture,
               Grid* grid) const {
    const Tensor y = at::conv2d(picture, Get(name + ".proj.weight"),
                                Get(name + ".proj.bias"), /*stride=*/2,
                                /*padding=*/1);
    *grid = {y.size(2), y.size(3)};
    return Norm(name + ".norm", Tokens(y), kEpsilon);
  }

  Tensor Block(const std::string& name, Tensor x, Grid grid) const {
    x = x + Layer(name + ".attn", x, grid);
    Tensor hidden =
        Linear(name + ".mlp.fc1", Norm(name + ".norm2", x, kBranchEpsilon));
    hidden = Tokens(Depthwise(name + ".mlp.dwconv.dwconv", hidden, grid));
    return x + Linear(name + ".mlp.fc2", at::gelu(hidden));
  }

  Tensor ClassToken(const Tensor& x) const {
    const std::string name = "post_network.0";
    Tensor token = x.mean(1, /*keepdim=*/true);
    token = token + Norm(name + ".norm1", Layer(name + ".attn", token, {1, 1}),
                         kBranchEpsilon);
    const Tensor hidden =
        Linear(name + ".mlp.fc1", Norm(name + ".norm2", token, kBranchEpsilon));
    return (token + Linear(name + ".mlp.fc2", at::gelu(hidden))).squeeze(1);
  }

  Tensor Layer(const std::string& name, const Tensor& x, Grid grid) const {
    const Tensor normed = Norm(name + ".norm", x, kEpsilon);
    const Tensor affinity = at::sigmoid(
        Linear(name + ".fc2", at::relu(Linear(name + ".fc1", normed.mean(1)))));
    const std::vector<Tensor> inputs = normed.chunk(4, 2);
    std::vector<Tensor> outputs;
    for (int g = 0; g < 4; ++g) {
      outputs.push_back(Ss2d(name + ".mamba_g" + std::to_string(g + 1),
                             inputs[g], grid, /*columns=*/g % 2 == 1,
                             /*reversed=*/g >= 2));
    }
    const Tensor y = at::cat(outputs, 2) * Get(name + ".skip_scale") * normed *
                     affinity.unsqueeze(1);
    return Linear(name + ".proj", Norm(name + ".norm", y, kEpsilon));
  }

  Tensor Ss2d(const std::string& name, const Tensor& x, Grid grid, bool columns,
              bool reversed) const {
    const std::vector<Tensor> halves =
        at::linear(x, Get(name + ".in_proj.weight")).chunk(2, 2);
    const Tensor gate = at::silu(halves[1]);
    Tensor u = at::silu(Depthwise(name + ".conv2d", halves[0], grid));
    if (columns) u = u.transpose(2, 3).contiguous();
    u = u.flatten(2);
    if (reversed) u = u.flip({2});
    u = u.transpose(1, 2).contiguous();
    Tensor y = Scan(name, u);
    if (reversed) y = y.flip({1});
    if (columns) {
      y = Tokens(Picture(y, {grid.width, grid.height}).transpose(2, 3));
    }
    return at::linear(Norm(name + ".out_norm", y, kEpsilon) * gate,
                      Get(name + ".out_proj.weight"));
  }

  // Over [batch, sequence, channel], in fp32 as in the authors' code.
  Tensor Scan(const std::string& name, const Tensor& u) const {
    const Tensor& dt_projs = Get(name + ".dt_projs_weight");
    const int64_t rank = dt_projs.size(2);
    const Tensor projected =
        at::linear(u, Get(name + ".x_proj_weight").squeeze(0));
    const auto fp32 = [](const Tensor& x) {
      return x.to(at::kFloat).contiguous();
    };
    return SelectiveScan({.u = fp32(u),
                          .delta = fp32(at::linear(projected.narrow(2, 0, rank),
                                                   dt_projs.squeeze(0))),
                          .b = fp32(projected.select(2, rank)),
                          .c = fp32(projected.select(2, rank + 1)),
                          .a = Get(name + ".A_logs").exp().neg().flatten(),
                          .d = Get(name + ".Ds"),
                          .delta_bias = Get(name + ".dt_projs_bias").flatten()},
                         {1, u.size(1)}, kernels::Direction::kLeftRight);
  }

  const ModelConfig& config_;
  const TensorMap& weights_;
};

// Autocast for this thread while it lives.
class Autocast {
 public:
  explicit Autocast(bool enabled) {
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCPU, enabled);
  }
  ~Autocast() {
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCPU, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
};

}  // namespace

at::Tensor NaiveLogits(const ModelConfig& config, const TensorMap& weights,
                       const at::Tensor& pictures, bool bf16) {
  const Autocast autocast(bf16);
  return NaiveNetwork(config, weights).Logits(pictures).to(at::kFloat);
}

}  // namespace groupmamba::reference
