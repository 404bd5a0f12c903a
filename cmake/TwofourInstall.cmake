# `cmake --install` puts the libraries, their headers, the trainer and a package that find_package(twofour) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(layer IN LISTS TWOFOUR_LAYERS)
  list(APPEND layer_targets twofour_${layer})
endforeach()
install(TARGETS ${layer_targets} EXPORT twofourTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                                       LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS trainer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Configs, sweeps, reports and the command line are the trainer's own; their headers show protobuf and are not part of the
# package.
install(DIRECTORY ${TWOFOUR_LAYERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofour FILES_MATCHING PATTERN "*.h"
        PATTERN "config" EXCLUDE PATTERN "report" EXCLUDE PATTERN "sweep" EXCLUDE PATTERN "cli" EXCLUDE)
install(FILES twofour.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/twofour)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/twofour)
configure_package_config_file(cmake/twofourConfig.cmake.in ${PROJECT_BINARY_DIR}/twofourConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/twofourConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT twofourTargets NAMESPACE twofour:: DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/twofourConfig.cmake ${PROJECT_BINARY_DIR}/twofourConfigVersion.cmake
              cmake/FindOneDNN.cmake DESTINATION ${package_dir})
