// HDF5's type and property-list identifiers are macros that call H5open(): Swift cannot import those, so they are functions here.
#pragma once
#include <hdf5.h>

static inline hid_t chdf5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t chdf5_native_double(void) { return H5T_NATIVE_DOUBLE; }
