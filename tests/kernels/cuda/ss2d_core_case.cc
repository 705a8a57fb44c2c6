#include "tests/kernels/cuda/ss2d_core_case.h"

#include <algorithm>
#include <cstdlib>

#include "kernels/cuda/ss2d_core_body.h"
#include "kernels/cuda/ss2d_widths.h"

namespace groupmamba::testing {
namespace {

using cuda::Ss2dShape;
using kernels::Direction;

reference::Ss2dGroup RandomGroup(int width, int seed) {
  const int rank = (width + 15) / 16;
  reference::Ss2dGroup g;
  g.width = width;
  g.rank = rank;
  const auto random = [&seed](int count, float low, float high) {
    return RandomFloats(count, low, high, ++seed);
  };
  g.convolution_weight = random(width * 9, -0.4f, 0.4f);
  g.convolution_bias = random(width, -0.3f, 0.3f);
  const float scale = 1.7f / std::sqrt(static_cast<float>(width));
  g.x_proj_weight = random((rank + 2) * width, -scale, scale);
  g.dt_projs_weight = random(width * rank, -1, 1);
  g.dt_projs_bias = random(width, -7, -1);  // Delta from 0.001 to 0.3
  g.a_logs = random(width, -1, 1);
  g.ds = random(width, 0.5f, 1.5f);
  g.out_norm_weight = random(width, 0.5f, 1.5f);
  g.out_norm_bias = random(width, -0.3f, 0.3f);
  return g;
}

template <class T>
struct ForwardBody {
  template <int kPadded>
  void Of() const {
    cuda::Ss2dCoreBody<T, kPadded>(ctx, arguments);
  }
  void None() const { std::abort(); }
  const ExecutorContext& ctx;
  const cuda::Ss2dArguments& arguments;
};

int Tokens(const Ss2dShape& shape) { return shape.height * shape.width; }

}  // namespace

template <class T>
void RunSs2dBody(const ExecutorContext& ctx, int padded,
                 const cuda::Ss2dArguments& arguments) {
  cuda::OfPaddedWidth(padded, ForwardBody<T>{ctx, arguments});
}

template <class T>
Ss2dCase<T> MakeSs2dCase(int batch, int height, int width, int group_width,
                         int seed) {
  Ss2dCase<T> c;
  c.shape = {batch,
             height,
             width,
             group_width,
             (group_width + 15) / 16,
             {Direction::kLeftRight, Direction::kTopBottom,
              Direction::kRightLeft, Direction::kBottomTop}};
  c.parameters.resize(cuda::PackedSs2dFloats(c.shape));
  for (int g = 0; g < cuda::kGroups; ++g) {
    c.groups.push_back(RandomGroup(group_width, seed + 100 * g));
    const reference::Ss2dGroup& group = c.groups.back();
    cuda::PackSs2dParameters(
        c.shape, g,
        {group.convolution_weight.data(), group.convolution_bias.data(),
         group.x_proj_weight.data(), group.dt_projs_weight.data(),
         group.dt_projs_bias.data(), group.a_logs.data(), group.ds.data(),
         group.out_norm_weight.data(), group.out_norm_bias.data()},
        c.parameters.data());
  }
  const int padded = cuda::PaddedGroupWidth(group_width);
  const int halves = batch * cuda::kGroups * Tokens(c.shape) * 2;
  const std::vector<float> values =
      RandomFloats(size_t(halves) * group_width, -2, 2, seed + 7);
  c.xz.resize(size_t(halves) * padded, Stored<T>(0));
  for (int h = 0; h < halves; ++h) {
    for (int i = 0; i < group_width; ++i) {
      c.xz[size_t(h) * padded + i] =
          Stored<T>(values[size_t(h) * group_width + i]);
    }
  }
  return c;
}

template <class T>
Ss2dRun<T> RunSs2dCore(const Ss2dCase<T>& c, int segments,
                       const ExecutorOptions& options, int shared_bytes,
                       float* states) {
  Ss2dRun<T> run;
  run.plan = cuda::PlanSs2d(c.shape, StorageOf<T>(), segments);
  if (run.plan.segments == 0) {
    run.failure = "no plan";
    return run;
  }
  const int padded = cuda::PaddedGroupWidth(c.shape.group_width);
  run.out.resize(c.xz.size() / 2);
  std::vector<uint64_t> scratch(cuda::Ss2dScratchBytes(c.shape, run.plan) / 8);
  CudaExecutor executor;
  const int xz = executor.Input(c.xz);
  const int parameters = executor.Input(c.parameters);
  const int out = executor.Output(run.out);
  executor.Scratch(scratch);
  if (states != nullptr) {
    executor.Output(states, 4 * cuda::Ss2dStateFloats(c.shape));
  }
  const cuda::Ss2dArguments arguments = {
      {c.shape, run.plan.segments, kOutNormEpsilon, c.xz.data(),
       c.parameters.data(), scratch.data(), states},
      run.out.data()};
  run.failure = executor.Launch(
      {run.plan.blocks, run.plan.threads,
       shared_bytes != 0 ? shared_bytes : run.plan.shared_bytes},
      options, [&](const ExecutorContext& ctx) {
        RunSs2dBody<T>(ctx, padded, arguments);
      });
  if (!run.failure.empty()) return run;
  if (!executor.WroteAllOf(out)) run.failure = "some output was not written";
  if (std::any_of(scratch.begin(), scratch.end(),
                  [](uint64_t word) { return word != 0; })) {
    run.failure = "the scratch is not zero after the launch";
  }
  run.xz = executor.traffic(xz);
  run.parameters = executor.traffic(parameters);
  run.written = executor.traffic(out);
  return run;
}

template <class T>
std::vector<double> WantedOutput(const Ss2dCase<T>& c) {
  const int d = c.shape.group_width;
  const int padded = cuda::PaddedGroupWidth(d);
  const int tokens = Tokens(c.shape);
  std::vector<double> want(c.xz.size() / 2);
  for (int sequence = 0; sequence < c.shape.batch * cuda::kGroups; ++sequence) {
    std::vector<double> x, z;
    for (int t = 0; t < tokens; ++t) {
      const T* token = &c.xz[(size_t(sequence) * tokens + t) * 2 * padded];
      for (int i = 0; i < d; ++i) {
        x.push_back(ToFloat(token[i]));
        z.push_back(ToFloat(token[padded + i]));
      }
    }
    const int group = sequence / c.shape.batch;
    const std::vector<double> y =
        reference::Ss2dCore(c.groups[group], c.shape.height, c.shape.width,
                            c.shape.directions[group], kOutNormEpsilon, x, z);
    for (int t = 0; t < tokens; ++t) {
      std::copy_n(&y[size_t(t) * d], d,
                  &want[(size_t(sequence) * tokens + t) * padded]);
    }
  }
  return want;
}

template <class T>
double ErrorOf(const Ss2dRun<T>& run, const std::vector<double>& want) {
  std::vector<double> got;
  for (T value : run.out) got.push_back(ToFloat(value));
  return RelativeL2(got, want);
}

template void RunSs2dBody<float>(const ExecutorContext&, int,
                                 const cuda::Ss2dArguments&);
template void RunSs2dBody<cuda::Bf16>(const ExecutorContext&, int,
                                      const cuda::Ss2dArguments&);
template Ss2dCase<float> MakeSs2dCase(int, int, int, int, int);
template Ss2dCase<cuda::Bf16> MakeSs2dCase(int, int, int, int, int);
template Ss2dRun<float> RunSs2dCore(const Ss2dCase<float>&, int,
                                    const ExecutorOptions&, int, float*);
template Ss2dRun<cuda::Bf16> RunSs2dCore(const Ss2dCase<cuda::Bf16>&, int,
                                         const ExecutorOptions&, int, float*);
template std::vector<double> WantedOutput(const Ss2dCase<float>&);
template std::vector<double> WantedOutput(const Ss2dCase<cuda::Bf16>&);
template double ErrorOf(const Ss2dRun<float>&, const std::vector<double>&);
template double ErrorOf(const Ss2dRun<cuda::Bf16>&, const std::vector<double>&);

}  // namespace groupmamba::testing
