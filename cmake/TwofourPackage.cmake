# `cpack` makes a Debian package of what is installed: scripts/package.sh.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME twofour)
set(CPACK_PACKAGE_VENDOR "The twofour developers")
set(CPACK_PACKAGE_CONTACT "The twofour developers <twofour@noreply.invalid>" CACHE STRING "Name and address of the packager")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "training with 2:4 semi-structured sparsity on CPUs")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"The program trainer trains MLPs, convolutional nets and small language models
from a text config, with MLP weights that are pruned to transposable 2:4 masks
again after every update, and is faster than with dense weights. The libraries
(C++20) have tensors, automatic differentiation, layers, optimizers and the
layer swap for programs of one's own.")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(BUILD_SHARED_LIBS)
  set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
  set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/debian/triggers)  # Runs ldconfig.
else()
  # What static libraries must be linked to.
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libfmt-dev, libhwy-dev, libdnnl-dev, libpcre2-dev, libre2-dev, zlib1g-dev")
  if(TWOFOUR_USES_MPI)
    string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", libopenmpi-dev")
  endif()
endif()
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake, pkg-config")

# What Debian wants of every package.
find_program(TWOFOUR_GZIP gzip)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr" AND TWOFOUR_GZIP)
  set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc/twofour)
  install(FILES packaging/debian/copyright DESTINATION ${doc_dir})
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/changelog.gz
                     COMMAND sh -c "${TWOFOUR_GZIP} --best --no-name --stdout packaging/debian/changelog > ${PROJECT_BINARY_DIR}/changelog.gz"
                     WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DEPENDS packaging/debian/changelog VERBATIM)
  add_custom_target(twofour_changelog ALL DEPENDS ${PROJECT_BINARY_DIR}/changelog.gz)
  install(FILES ${PROJECT_BINARY_DIR}/changelog.gz DESTINATION ${doc_dir})
endif()
include(CPack)
