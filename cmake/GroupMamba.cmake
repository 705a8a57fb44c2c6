# The project's targets, declared one way: gm_library, gm_binary, gm_test.

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Flags of every target of ours. An interface target, so that generated code
# (protobuf) can do without the warnings.
add_library(gm_flags INTERFACE)
target_include_directories(gm_flags INTERFACE ${PROJECT_SOURCE_DIR})
# nvcc hands these to the host's compiler in kernels/cuda.
target_compile_options(gm_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall$<SEMICOLON>-Wextra$<SEMICOLON>-Wno-unused-parameter>)
if(GROUPMAMBA_WERROR)
  target_compile_options(gm_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(gm_flags INTERFACE -Wthread-safety -Wold-style-cast)
endif()

# No machine's paths in the programs: builds of the same sources are the same,
# and a compiler cache serves every checkout.
add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>)

# Hardening of what faces the network; no cost that a bench has shown.
add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fstack-protector-strong>)
add_link_options(-Wl,-z,relro,-z,now)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # -g1: line tables are enough for a stack trace, and a quarter of the size.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  if(NOT GROUPMAMBA_SANITIZER)
    add_compile_definitions(_FORTIFY_SOURCE=2)
  endif()
endif()

if(GROUPMAMBA_SANITIZER)
  add_compile_options(-fsanitize=${GROUPMAMBA_SANITIZER} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GROUPMAMBA_SANITIZER})
endif()

# Who may include whom is checked before anything of ours compiles.
add_custom_target(check_layers
  COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR}
          -P ${PROJECT_SOURCE_DIR}/cmake/check_layers.cmake
  COMMENT "Checking who includes whom")

# gm_library(NAME SRCS a.cc a.h DEPS targets... [PRIVATE_DEPS targets...])
# Without a .cc file in SRCS the library is header-only.
function(gm_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SRCS MATCHES "\\.(cc|cu)(;|$)")
    add_library(${name} STATIC ${ARG_SRCS})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS}
                          PRIVATE gm_flags ${ARG_PRIVATE_DEPS})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    add_dependencies(${name} check_layers)
  else()
    add_library(${name} INTERFACE ${ARG_SRCS})
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

# gm_binary(NAME SRCS main.cc DEPS targets...)   lands in <build>/bin
function(gm_binary name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE gm_flags ${ARG_DEPS})
  add_dependencies(${name} check_layers)
endfunction()

# gm_test(NAME SRCS a_test.cc DEPS targets... [ARGS arguments...] [LABELS ...])
# A GoogleTest program, run by CTest as one test; `./dev test` counts its cases.
function(gm_test name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;ARGS;LABELS" ${ARGN})
  gm_binary(${name} SRCS ${ARG_SRCS} DEPS ${ARG_DEPS} GTest::gmock GTest::gtest
            GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    GM_SOURCE_DIR="${PROJECT_SOURCE_DIR}" GM_BIN_DIR="${PROJECT_BINARY_DIR}/bin")
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900 LABELS "${ARG_LABELS}")
  if(GROUPMAMBA_SANITIZER MATCHES "address")
    set_tests_properties(${name} PROPERTIES ENVIRONMENT
      "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/leaks.supp")
  endif()
endfunction()

# gm_embed(OUT_VARIABLE NAME FILE): a source file whose constant
# groupmamba::NAME is what FILE holds.
function(gm_embed out name file)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_SOURCE_DIR}/${file}
            -DOUT=${source} -DNAME=${name}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  set(${out} ${source} PARENT_SCOPE)
endfunction()
