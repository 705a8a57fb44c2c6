# cmake --install: bin/ with the programs, lib/groupmamba/ with what they load of
# LibTorch, the bundled model, manual pages, completions, a systemd unit. The libraries
# lie in one folder, where their own RPATH ($ORIGIN) finds each other.
include(GNUInstallDirs)
set_target_properties(groupmamba-server groupmamba-client groupmamba-convert PROPERTIES
  INSTALL_RPATH "$ORIGIN/../lib/groupmamba")
install(TARGETS groupmamba-server groupmamba-decoder groupmamba-client
  groupmamba-convert)
if(GROUPMAMBA_TORCH)
  # For Python: PYTHONPATH=<prefix>/lib/groupmamba/python. A component of its own, which the
  # image does without.
  set_target_properties(groupmamba_torch PROPERTIES INSTALL_RPATH "")
  install(TARGETS groupmamba_torch DESTINATION lib/groupmamba COMPONENT python)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/python/groupmamba COMPONENT python
    DESTINATION lib/groupmamba/python FILES_MATCHING PATTERN "*.py")
  set(site ${GROUPMAMBA_DEPS_DIR}/site)
  install(FILES
    ${site}/torch/lib/libtorch_cpu.so ${site}/torch/lib/libc10.so
    ${site}/torch/lib/libgomp.so.1 ${site}/nvidia/cu13/lib/libcudart.so.13
    ${site}/nvidia/cu13/lib/libcupti.so.13
    DESTINATION lib/groupmamba)
  if(GROUPMAMBA_CUDA)
    file(GLOB cuda_libraries ${site}/nvidia/*/lib/*.so.*)
    # What joins machines, and second forms: nobody loads them, and some want libraries that are
    # not here.
    list(FILTER cuda_libraries EXCLUDE REGEX
      "nvshmem_(bootstrap|transport)_|cufile_rdma|[.]alt[.]|nvblas|cufftw")
    install(FILES
      ${site}/torch/lib/libtorch_cuda.so ${site}/torch/lib/libc10_cuda.so
      ${site}/torch/lib/libtorch_nvshmem.so ${site}/torch/lib/libcaffe2_nvrtc.so
      ${cuda_libraries}
      DESTINATION lib/groupmamba)
  endif()
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/groupmamba)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(described ${PROJECT_BINARY_DIR}/described)
file(MAKE_DIRECTORY ${described})
foreach(program groupmamba-server groupmamba-client groupmamba-convert)
  add_custom_command(OUTPUT ${described}/${program}.1 ${described}/${program}
    COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/cmake/describe.py
            $<TARGET_FILE:${program}> ${described}
    DEPENDS ${program} ${PROJECT_SOURCE_DIR}/cmake/describe.py
    VERBATIM)
  list(APPEND pages ${described}/${program}.1)
  install(FILES ${described}/${program}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${described}/${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endforeach()
add_custom_target(described ALL DEPENDS ${pages})
# With the paths of the prefix that was configured (CMAKE_INSTALL_PREFIX).
foreach(file groupmamba-server.service settings.toml)
  configure_file(${PROJECT_SOURCE_DIR}/deploy/systemd/${file}.in ${described}/${file} @ONLY)
endforeach()
install(FILES ${described}/groupmamba-server.service DESTINATION lib/systemd/system)
install(FILES ${described}/settings.toml DESTINATION ${CMAKE_INSTALL_DOCDIR})
