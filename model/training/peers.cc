#include "model/training/peers.h"

#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/training/nccl_group.h"
#include "torch/csrc/autograd/custom_function.h"
#include "torch/csrc/distributed/c10d/ProcessGroupGloo.hpp"
#include "torch/csrc/distributed/c10d/TCPStore.hpp"

namespace groupmamba::training {
namespace {

// Without what LibTorch adds for its own developers: where in its code, and a
// stack.
std::string FirstLine(const std::exception& error) {
  return std::string(*absl::StrSplit(error.what(), '\n').begin());
}

class GroupPeers final : public Peers {
 public:
  // `device`: where the group takes tensors.
  GroupPeers(c10::intrusive_ptr<c10d::Backend> group, at::Device device,
             const TimeSource* clock)
      : group_(std::move(group)), device_(device), clock_(clock) {}

  // NCCL's wants to be ended, while the others are there.
  ~GroupPeers() override {
    try {
      if (!lost_) group_->shutdown();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "process %d: %s\n", rank(),
                   FirstLine(error).c_str());
    }
  }
  GroupPeers(const GroupPeers&) = delete;
  GroupPeers& operator=(const GroupPeers&) = delete;

  int rank() const override { return group_->getRank(); }
  int size() const override { return group_->getSize(); }

  void Sum(at::Tensor* tensor) override {
    Exchange(tensor, [this](std::vector<at::Tensor>& tensors) {
      return group_->allreduce(tensors);
    });
  }

  void TakeFromFirst(at::Tensor* tensor) override {
    Exchange(tensor, [this](std::vector<at::Tensor>& tensors) {
      return group_->broadcast(tensors);
    });
  }

  double seconds() const override { return seconds_; }

 private:
  using Collective =
      std::function<c10::intrusive_ptr<c10d::Work>(std::vector<at::Tensor>&)>;

  void Exchange(at::Tensor* tensor, const Collective& collective) {
    const TimePoint start = clock_->Now();
    std::vector<at::Tensor> tensors = {tensor->to(device_)};
    try {
      collective(tensors)->wait();
      tensor->copy_(tensors[0]);  // nothing, where it was there already
    } catch (const std::exception& error) {
      lost_ = true;
      throw std::runtime_error(absl::StrCat(
          "process ", rank(), " of ", size(),
          " has lost the others: ", FirstLine(error),
          ". When all are started again, they go on from the last checkpoint"));
    }
    seconds_ += ToSeconds(clock_->Now() - start);
  }

  const c10::intrusive_ptr<c10d::Backend> group_;
  const at::Device device_;
  const TimeSource* const clock_;
  double seconds_ = 0;
  bool lost_ = false;  // the others
};

c10::intrusive_ptr<c10d::Store> MeetAt(const PeerSpec& spec) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(spec.port);
  options.isServer = spec.rank == 0;
  options.numWorkers = spec.size;
  options.timeout = std::chrono::seconds(spec.timeout_s);
  if (spec.listen_fd >= 0) options.masterListenFd = spec.listen_fd;
  return c10::make_intrusive<c10d::TCPStore>(spec.address, options);
}

std::shared_ptr<gloo::transport::Device> InterfaceOf(const PeerSpec& spec) {
  if (!spec.interface.empty()) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(spec.interface);
  }
  // All on this machine: no other name need lead here.
  if (spec.address == "127.0.0.1" || spec.address == "localhost") {
    return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  }
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

c10::intrusive_ptr<c10d::Backend> MakeGlooGroup(const PeerSpec& spec) {
  auto options = c10d::ProcessGroupGloo::Options::create(
      std::chrono::seconds(spec.timeout_s));
  options->devices.push_back(InterfaceOf(spec));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(MeetAt(spec), spec.rank,
                                                     spec.size, options);
}

// What autograd keeps until the backward pass.
struct HeldPeers : torch::CustomClassHolder {
  explicit HeldPeers(Peers* peers) : peers(peers) {}

  Peers* const peers;
};

struct AverageFunction : torch::autograd::Function<AverageFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& tensor, Peers* peers) {
    context->saved_data["peers"] =
        c10::IValue::make_capsule(c10::make_intrusive<HeldPeers>(peers));
    at::Tensor mean = tensor.clone();
    peers->Average(&mean);
    return mean;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      const torch::autograd::variable_list& gradients) {
    const auto held = c10::static_intrusive_pointer_cast<HeldPeers>(
        context->saved_data["peers"].toCapsule());
    at::Tensor mean = gradients[0].contiguous().clone();
    held->peers->Average(&mean);
    return {mean, at::Tensor()};
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Peers>> Peers::Join(const PeerSpec& spec,
                                                   const TimeSource* clock,
                                                   at::Device device) {
  try {
    return std::make_unique<GroupPeers>(device.is_cuda()
                                            ? MakeNcclGroup(MeetAt(spec), spec)
                                            : MakeGlooGroup(spec),
                                        device, clock);
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat(
        "process ", spec.rank, " of ", spec.size,
        " could not meet the others at ", spec.address, ":", spec.port,
        " within ", spec.timeout_s, " s: ", FirstLine(error)));
  }
}

void Peers::Average(at::Tensor* tensor) {
  Sum(tensor);
  tensor->div_(size());
}

double Peers::SumOf(double number) {
  at::Tensor sum = at::tensor(number, at::kDouble);
  Sum(&sum);
  return sum.item<double>();
}

at::Tensor DifferentiableAverage(const at::Tensor& tensor, Peers* peers) {
  return AverageFunction::apply(tensor, peers);
}

}  // namespace groupmamba::training
