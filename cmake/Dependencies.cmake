# Everything from outside, found once. docs/architecture.md says why each is here.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(OpenCVModules REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp)

# LibTorch, CPU part: the wheel's own find_package(Torch) insists on CUDA, so the
# two libraries are imported here. Only targets in model/ may link torch::cpu:
# its include folder also holds another protobuf.
if(GROUPMAMBA_TORCH)
  set(torch_root ${GROUPMAMBA_DEPS_DIR}/site/torch)
  if(NOT EXISTS ${torch_root}/lib/libtorch_cpu.so)
    message(FATAL_ERROR
      "LibTorch is not under ${torch_root}. Run ./dev build, which unpacks it, "
      "or pass -DGROUPMAMBA_TORCH=OFF for the parts that do without.")
  endif()
  add_library(torch_c10 SHARED IMPORTED)
  set_target_properties(torch_c10 PROPERTIES
    IMPORTED_LOCATION ${torch_root}/lib/libc10.so)
  add_library(torch_cpu_library SHARED IMPORTED)
  set_target_properties(torch_cpu_library PROPERTIES
    IMPORTED_LOCATION ${torch_root}/lib/libtorch_cpu.so)
  # The linker need not resolve what libtorch_cpu.so itself needs (libcupti,
  # libcudart): the library's own RPATH finds them beside it at run time.
  add_library(torch_cpu INTERFACE)
  add_library(torch::cpu ALIAS torch_cpu)
  target_include_directories(torch_cpu SYSTEM INTERFACE
    ${torch_root}/include ${torch_root}/include/torch/csrc/api/include)
  target_link_libraries(torch_cpu INTERFACE torch_cpu_library torch_c10)
  target_link_options(torch_cpu INTERFACE -Wl,--allow-shlib-undefined)
  # at::parallel_for is inline, and parallel only in files compiled for OpenMP; the
  # threads are those of LibTorch's own runtime. (Clang would want one of its own.)
  add_library(torch_parallel INTERFACE)
  add_library(torch::parallel ALIAS torch_parallel)
  target_compile_options(torch_parallel INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fopenmp>)
  target_link_libraries(torch_parallel INTERFACE torch_cpu ${torch_root}/lib/libgomp.so.1)

  # Its part for GPUs. Nothing of ours calls into libtorch_cuda.so by name, so
  # the linker has to be told to keep it.
  if(GROUPMAMBA_CUDA)
    if(NOT EXISTS ${torch_root}/lib/libtorch_cuda.so)
      message(FATAL_ERROR
        "LibTorch's part for GPUs is not under ${torch_root}. Run ./dev build-cuda, "
        "which unpacks it, or pass -DGROUPMAMBA_TORCH=OFF for the kernels alone.")
    endif()
    find_package(CUDAToolkit REQUIRED)
    add_library(torch_cuda INTERFACE)
    add_library(torch::cuda ALIAS torch_cuda)
    target_link_libraries(torch_cuda INTERFACE
      torch_cpu -Wl,--push-state,--no-as-needed ${torch_root}/lib/libtorch_cuda.so
      -Wl,--pop-state ${torch_root}/lib/libc10_cuda.so CUDA::cudart)
  endif()
endif()
