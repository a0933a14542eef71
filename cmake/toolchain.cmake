# Which compiler, which flags, and what makes building fast.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "GCC ${CMAKE_CXX_COMPILER_VERSION} destroys temporaries of awaiting statements twice; use clang 19 (./dev setup installs it) or GCC 13 and newer")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# One kind of code for libraries and programs, so that all can reuse one precompiled header.
set(CMAKE_CXX_COMPILE_OPTIONS_PIE "-fPIC")
set(BOTBURROW_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")
option(BOTBURROW_FUZZ "fuzz targets (./dev fuzz), and counters of coverage for them in all code" OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers
                    -Wno-unused-parameter -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
                    # libstdc++ 12's own stable_sort uses what C++17 deprecates.
                    -Wno-deprecated-declarations
                    # No path of the building machine in messages or debug information.
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
# Asio, Beast and Boost.JSON are compiled once, in files of their own.
add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
                        BOOST_ALL_NO_LIB BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)

set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
if(BOTBURROW_SANITIZE)
  add_compile_options(-fsanitize=${BOTBURROW_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BOTBURROW_SANITIZE})
  if(BOTBURROW_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS
                      -fstack-protector-strong -fstack-clash-protection -fcf-protection)
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections)
  add_compile_options(-ffunction-sections -fdata-sections)
endif()

find_program(LLD_PROGRAM NAMES ld.lld-19 ld.lld)
if(LLD_PROGRAM AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(--ld-path=${LLD_PROGRAM})
endif()
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                OUTPUT_VARIABLE BOTBURROW_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT BOTBURROW_COMMIT)
  set(BOTBURROW_COMMIT "unknown")
endif()
