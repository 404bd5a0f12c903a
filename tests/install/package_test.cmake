# Installs the package into a fresh folder and runs the trainer there. The other tests of this folder use that package.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${PREFIX})
run(${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${PREFIX})
run(${PREFIX}/bin/trainer --help)

file(GLOB_RECURSE protobuf_users ${PREFIX}/include/*.pb.h)
if(protobuf_users)
  message(FATAL_ERROR "protobuf headers were installed: ${protobuf_users}")
endif()
