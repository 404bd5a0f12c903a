# `cmake --install` puts the libraries, their headers, the trainer and a package that find_package(twofour) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/twofour)
# Each library in an export of its own: whoever asks for nn needs nothing of what train is linked to.
foreach(layer IN LISTS TWOFOUR_LAYERS)
  install(TARGETS twofour_${layer} EXPORT twofour_${layer} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                                           LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                                           INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT twofour_${layer} FILE twofour-${layer}.cmake NAMESPACE twofour:: DESTINATION ${package_dir})
endforeach()
if(TWOFOUR_BUILD_TRAINER)
  if(BUILD_SHARED_LIBS)
    file(RELATIVE_PATH from_bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
    set_target_properties(trainer PROPERTIES INSTALL_RPATH "$ORIGIN/${from_bin_to_lib}")
  endif()
  install(TARGETS trainer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# The program's headers are its own; those that only a file made of Highway's vectors can include are nobody else's.
install(DIRECTORY ${TWOFOUR_LAYERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofour FILES_MATCHING PATTERN "*.h"
        PATTERN "program" EXCLUDE PATTERN "*-inl.h" EXCLUDE PATTERN "simd_table.h" EXCLUDE
        PATTERN "simd_targets.h" EXCLUDE)
if("nn" IN_LIST TWOFOUR_LAYERS AND "optim" IN_LIST TWOFOUR_LAYERS)
  install(FILES twofour.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofour)
endif()

if(NOT DEFINED BUILD_SHARED_LIBS)
  set(BUILD_SHARED_LIBS OFF)  # To be written down as such.
endif()
configure_package_config_file(cmake/twofourConfig.cmake.in ${PROJECT_BINARY_DIR}/twofourConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/twofourConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/twofourConfig.cmake ${PROJECT_BINARY_DIR}/twofourConfigVersion.cmake
              cmake/FindOneDNN.cmake DESTINATION ${package_dir})
