# OpenCV's core and imgproc as imported targets opencv_core and opencv_imgproc.
#
# OpenCV's own package file is only in Debian's libopencv-dev, which pulls in every
# module and half a gigabyte with them; the two module packages have none.
find_package(OpenCV QUIET CONFIG COMPONENTS core imgproc)
if(NOT OpenCV_FOUND)
  find_path(OPENCV_INCLUDE_DIR opencv2/core/mat.hpp PATH_SUFFIXES opencv4)
  foreach(module core imgproc)
    find_library(OPENCV_${module}_LIBRARY opencv_${module})
    if(OPENCV_${module}_LIBRARY AND OPENCV_INCLUDE_DIR)
      add_library(opencv_${module} SHARED IMPORTED)
      set_target_properties(opencv_${module} PROPERTIES
        IMPORTED_LOCATION ${OPENCV_${module}_LIBRARY})
      target_include_directories(opencv_${module} SYSTEM INTERFACE
                                 ${OPENCV_INCLUDE_DIR})
    endif()
  endforeach()
endif()
include(FindPackageHandleStandardArgs)
if(OpenCV_FOUND)
  set(OpenCVModules_FOUND TRUE)
else()
  find_package_handle_standard_args(OpenCVModules
    REQUIRED_VARS OPENCV_INCLUDE_DIR OPENCV_core_LIBRARY OPENCV_imgproc_LIBRARY)
endif()
