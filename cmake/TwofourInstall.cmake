# `cmake --install` installs the libraries, their headers, packages for find_package(twofour) and pkg-config, the trainer
# with its configs, manual pages and completion, and the documents.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/twofour)
# Each library has an export of its own, so that a project that asks for nn does not need the libraries that train is
# linked to.
foreach(layer IN LISTS TWOFOUR_LAYERS)
  install(TARGETS twofour_${layer} EXPORT twofour_${layer} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                                           LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                                           INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT twofour_${layer} FILE twofour-${layer}.cmake NAMESPACE twofour:: DESTINATION ${package_dir})
endforeach()
if(TWOFOUR_BUILD_TRAINER)
  if(BUILD_SHARED_LIBS AND TWOFOUR_IS_RELOCATABLE)
    file(RELATIVE_PATH from_bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
    set_target_properties(trainer PROPERTIES INSTALL_RPATH "$ORIGIN/${from_bin_to_lib}")
  endif()
  install(TARGETS trainer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/twofour)
  install(FILES train/program/config.proto train/program/name_map.proto train/program/sweep.proto
          DESTINATION ${CMAKE_INSTALL_DATADIR}/twofour/proto)
  include(TwofourManPages)
endif()
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/twofour)
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/twofour)

# Leaves out the program's headers, which are internal, and those that only a file with Highway's vectors can include.
install(DIRECTORY ${TWOFOUR_LAYERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofour FILES_MATCHING PATTERN "*.h"
        PATTERN "program" EXCLUDE PATTERN "*-inl.h" EXCLUDE PATTERN "simd_table.h" EXCLUDE
        PATTERN "simd_targets.h" EXCLUDE PATTERN "simd_isa.h" EXCLUDE)
if("nn" IN_LIST TWOFOUR_LAYERS AND "optim" IN_LIST TWOFOUR_LAYERS)
  install(FILES twofour.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofour)
endif()

# pkg-config --cflags --libs twofour-nn. Static libraries must be linked to what they use; shared ones are linked already.
# The paths are those of the installed folder, wherever that is.
file(RELATIVE_PATH from_pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" from_pc_to_prefix "${from_pc_to_prefix}")
foreach(dir IN ITEMS LIBDIR INCLUDEDIR)
  string(TOLOWER ${dir} variable)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(pc_${variable} "${CMAKE_INSTALL_${dir}}")
  else()
    set(pc_${variable} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
foreach(layer IN LISTS TWOFOUR_LAYERS)
  set(pc_prefix "\${pcfiledir}/${from_pc_to_prefix}")
  set(pc_requires "")
  set(pc_libs "")
  foreach(used IN LISTS TWOFOUR_USES_${layer})
    list(APPEND pc_requires twofour-${used})
  endforeach()
  if(NOT BUILD_SHARED_LIBS)
    if(layer STREQUAL "core")
      list(APPEND pc_requires fmt libhwy)
      list(APPEND pc_libs -Wl,-z,nodelete)
      if(TWOFOUR_USES_ONEDNN)
        list(APPEND pc_libs -ldnnl)
      endif()
      if(TWOFOUR_WITH_OPENMP)
        list(APPEND pc_libs ${OpenMP_CXX_FLAGS})
      endif()
    elseif(layer STREQUAL "comm" AND TWOFOUR_USES_MPI)
      list(APPEND pc_libs -lmpi)
    elseif(layer STREQUAL "nn")
      list(APPEND pc_requires re2)
    elseif(layer STREQUAL "train")
      list(APPEND pc_requires zlib libpcre2-8)
    endif()
  endif()
  list(JOIN pc_requires ", " pc_requires)
  list(JOIN pc_libs " " pc_libs)
  configure_file(cmake/twofour.pc.in ${PROJECT_BINARY_DIR}/twofour-${layer}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/twofour-${layer}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

if(NOT DEFINED BUILD_SHARED_LIBS)
  set(BUILD_SHARED_LIBS OFF)  # So that the package's config says OFF and not nothing.
endif()
configure_package_config_file(cmake/twofourConfig.cmake.in ${PROJECT_BINARY_DIR}/twofourConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/twofourConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/twofourConfig.cmake ${PROJECT_BINARY_DIR}/twofourConfigVersion.cmake
              cmake/FindOneDNN.cmake cmake/FindPCRE2.cmake cmake/FindRE2.cmake DESTINATION ${package_dir})
