// HDF5's identifiers of types, classes and flags are macros that call H5open(): Swift cannot import those, so they are
// functions here.
#pragma once
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline hid_t chdf5_native_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t chdf5_native_uint16(void) { return H5T_NATIVE_UINT16; }
static inline hid_t chdf5_native_uint32(void) { return H5T_NATIVE_UINT32; }
static inline hid_t chdf5_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t chdf5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t chdf5_native_double(void) { return H5T_NATIVE_DOUBLE; }

// What is written to disk: little-endian whatever machine writes it.
static inline hid_t chdf5_uint8_le(void) { return H5T_STD_U8LE; }
static inline hid_t chdf5_uint16_le(void) { return H5T_STD_U16LE; }
static inline hid_t chdf5_float_le(void) { return H5T_IEEE_F32LE; }
static inline hid_t chdf5_double_le(void) { return H5T_IEEE_F64LE; }

/// A new string type of variable length in UTF-8, to be closed by the caller; negative on failure.
static inline hid_t chdf5_string_type(void) {
  hid_t type = H5Tcopy(H5T_C_S1);
  if (type >= 0 && (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
    H5Tclose(type);
    return -1;
  }
  return type;
}

static inline hid_t chdf5_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t chdf5_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline hid_t chdf5_dataset_access(void) { return H5P_DATASET_ACCESS; }
static inline hid_t chdf5_link_create(void) { return H5P_LINK_CREATE; }
static inline unsigned chdf5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned chdf5_read_concurrently(void) { return H5F_ACC_RDONLY | H5F_ACC_SWMR_READ; }
static inline unsigned chdf5_truncate(void) { return H5F_ACC_TRUNC; }

/// Opens the library without its handler at exit(): that one closes what a full disk left open, and crashes.
/// (Where something else in the process opened it first, the handler is there already, and nothing is lost by going
/// on.)
static inline herr_t chdf5_open(void) {
  H5dont_atexit();
  return H5open();
}

/// Switches printing off. Thread-safe builds keep one error stack for each thread, so this is said before each call.
static inline herr_t chdf5_silence(void) { return H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

typedef struct {
  char text[1024];
} chdf5_message;

static inline herr_t chdf5_keep_innermost(unsigned depth, const H5E_error2_t *error, void *message) {
  if (depth == 0) {
    snprintf(((chdf5_message *)message)->text, sizeof(chdf5_message), "%s", error->desc ? error->desc : "");
  }
  return 0;
}

/// The innermost message of this thread's error stack, which is the one that names the cause; then empties the stack.
static inline void chdf5_take_message(chdf5_message *message) {
  message->text[0] = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, chdf5_keep_innermost, message);
  H5Eclear2(H5E_DEFAULT);
}

/// Sets aside `byteCount` bytes of disk for the file without changing its length; 0, or -1 and errno. (Not in Swift's
/// Glibc module.)
static inline int chdf5_reserve(int descriptor, off_t byteCount) {
  enum { keep_size = 1 };  // FALLOC_FL_KEEP_SIZE
  return (int)syscall(SYS_fallocate, descriptor, keep_size, (off_t)0, byteCount);
}

/// The descriptor under a file of libhdf5's usual driver, or -1.
static inline int chdf5_descriptor(hid_t file) {
  void *descriptor = NULL;
  return H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) < 0 || !descriptor ? -1 : *(int *)descriptor;
}

/// Keeps programs that this process starts from inheriting the file, and with it the library's lock on it; negative on
/// failure.
static inline int chdf5_close_on_exec(hid_t file) { return fcntl(chdf5_descriptor(file), F_SETFD, FD_CLOEXEC); }

/// Puts an anonymous file in memory behind the file's descriptor, so that what is still written goes nowhere and finds
/// no full disk; negative on failure.
static inline int chdf5_divert(hid_t file) {
  enum { close_on_exec = 1 };  // MFD_CLOEXEC
  int memory = (int)syscall(SYS_memfd_create, "slipring-abandoned", close_on_exec);
  if (memory < 0) { return -1; }
  int result = (int)syscall(SYS_dup3, memory, chdf5_descriptor(file), O_CLOEXEC);
  close(memory);
  return result;
}
