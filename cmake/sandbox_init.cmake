# Process 1 of sandboxes: a static program of its own, never with sanitizers (it runs under a filter of
# system calls), which travels inside bb_sandbox.
file(GLOB init_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/sandbox/init/*.cpp)
add_executable(bb_sandbox_init ${init_sources})
target_include_directories(bb_sandbox_init PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(bb_sandbox_init PRIVATE -fno-exceptions -fno-rtti -g0 -fno-sanitize=all)
target_link_options(bb_sandbox_init PRIVATE -static -no-pie -s -fno-sanitize=all)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/sandbox/init_image.cpp PROPERTIES
  COMPILE_DEFINITIONS "BOTBURROW_SANDBOX_INIT=\"${CMAKE_BINARY_DIR}/bb_sandbox_init\""
  OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/bb_sandbox_init)
add_dependencies(bb_sandbox bb_sandbox_init)
