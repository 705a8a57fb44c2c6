# cmake --install: bin/ with the programs, lib/groupmamba/ with what they load of
# LibTorch. The libraries lie in one folder, where their own RPATH ($ORIGIN) finds
# each other.
include(GNUInstallDirs)
set_target_properties(groupmamba-server groupmamba-client groupmamba-convert PROPERTIES
  INSTALL_RPATH "$ORIGIN/../lib/groupmamba")
install(TARGETS groupmamba-server groupmamba-decoder groupmamba-client
  groupmamba-convert)
if(GROUPMAMBA_TORCH)
  set(site ${GROUPMAMBA_DEPS_DIR}/site)
  install(FILES
    ${site}/torch/lib/libtorch_cpu.so ${site}/torch/lib/libc10.so
    ${site}/torch/lib/libgomp.so.1 ${site}/nvidia/cu13/lib/libcudart.so.13
    ${site}/nvidia/cu13/lib/libcupti.so.13
    DESTINATION lib/groupmamba)
  if(GROUPMAMBA_CUDA)
    file(GLOB cuda_libraries ${site}/nvidia/*/lib/*.so.*)
    install(FILES
      ${site}/torch/lib/libtorch_cuda.so ${site}/torch/lib/libc10_cuda.so
      ${site}/torch/lib/libtorch_nvshmem.so ${site}/torch/lib/libcaffe2_nvrtc.so
      ${cuda_libraries}
      DESTINATION lib/groupmamba)
  endif()
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
