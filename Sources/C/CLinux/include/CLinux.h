// What Swift's Glibc module does not offer of Linux, behind plain C types. <liburing.h> and <numa.h> are never exposed
// here: liburing's types clash with those of the Glibc module. Functions that return int give 0 (or a count, a
// descriptor) or −errno.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC32C (Castagnoli, reflected, initial value and final xor 0xFFFFFFFF) of `count` bytes, continuing from `seed` (0
/// at first).
uint32_t clinux_crc32c(uint32_t seed, const void *bytes, size_t count);

/// The same by table, on every processor: what `clinux_crc32c` falls back to and is tested against.
uint32_t clinux_crc32c_portable(uint32_t seed, const void *bytes, size_t count);

/// Tells the processor that this is a spin loop.
static inline void clinux_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Sleeps while `*word == expected`, at most `nanoseconds`; shared between processes. −EAGAIN: it differs; −ETIMEDOUT;
/// −EINTR.
int clinux_futex_wait(uint32_t *word, uint32_t expected, int64_t nanoseconds);

/// Wakes at most `count` sleepers on `word`; returns how many.
int clinux_futex_wake(uint32_t *word, int count);

// Has a child of posix_spawn close all descriptors from `first` on; `actions` is a posix_spawn_file_actions_t.
int clinux_spawn_close_from(void *actions, int first);

/// A descriptor of process `pid` (close-on-exec).
int clinux_pidfd_open(int pid);

/// Sends `signal` to the process behind `pidfd`.
int clinux_pidfd_send_signal(int pidfd, int signal);

/// Reaps the child behind `pidfd` if it ended. 0: still running; 1: exited, `*status` is its code; 2: killed, `*status`
/// is the signal.
int clinux_pidfd_reap(int pidfd, int *status);

/// Gives the calling thread, which of a process is its first one, the name that ps shows: 15 characters of it.
int clinux_name_process(const char *name);

/// Has the kernel send `signal` to this process when the thread that started it ends.
int clinux_parent_death_signal(int signal);

/// Gives the calling thread, and the processes that it starts afterwards, mounts of their own: what they mount from now
/// on nobody else sees.
int clinux_own_mounts(void);

/// Has this process write a report into the new file `path` when it crashes, with `head` as the first line, within a
/// second; it then ends by the signal of the crash. To be called from the main thread.
int clinux_crash_report(const char *path, const char *head);

/// A non-blocking, close-on-exec descriptor that delivers the given signals, which are blocked in the calling thread.
int clinux_signalfd(const int *signals, int count);

/// Reads one signal number from `descriptor`; 0 if none is pending.
int clinux_signalfd_next(int descriptor);

/// The highest core number that the functions below handle, plus one.
enum { clinux_core_capacity = 8192 };

/// Fills `isMember[core]` with 1 for the cores that the calling thread may use.
int clinux_affinity_get(uint8_t *isMember);

/// Confines the calling thread to `count` cores.
int clinux_affinity_set(const int *cores, int count);

/// One more than the highest NUMA node, or 0 where the kernel offers no NUMA.
int clinux_numa_node_limit(void);

/// The bytes of memory of a NUMA node; 0 for a node without memory.
int64_t clinux_numa_memory(int node);

/// Fills `isMember[core]` with 1 for the cores of a NUMA node.
int clinux_numa_cores(int node, uint8_t *isMember);

/// Asks that pages of the mapping that are not yet there be taken from `node`, or from elsewhere where it is full.
int clinux_numa_prefer(void *address, size_t count, int node);

/// O_DIRECT, which differs between processors.
int clinux_direct_flag(void);

/// Has two files of a folder take each other's names, at once.
int clinux_exchange(int folder, const char *name, const char *other);

/// Has the calling thread's reads and writes of disks wait for everybody else's, where the disk's scheduler knows how.
int clinux_idle_disk(void);

/// Has the kernel begin to write the pages of a file that are not on disk yet; does not wait for them.
int clinux_begin_writing(int descriptor);

/// An io_uring queue. Not for use from several threads at once.
typedef struct clinux_uring clinux_uring;

/// Sets up a queue of `entries` entries and stores it in `*queue`.
int clinux_uring_open(clinux_uring **queue, unsigned entries);

/// Closes and frees the queue.
void clinux_uring_close(clinux_uring *queue);

/// Has the kernel send this process a signal after `nanoseconds`, wherever it is then. 0 or a negative errno.
int clinux_signal_self_after(uint64_t nanoseconds, int signal);

/// How an entry is tied to the one after it in the same submission.
enum {
  /// Not at all.
  clinux_uring_unlinked = 0,
  /// The next one starts after this one succeeded whole, and is cancelled otherwise.
  clinux_uring_link = 1,
  /// The next one starts after this one ended, however it ended.
  clinux_uring_hardlink = 2,
};

/// Registers `count` pieces of memory, which stay pinned until the queue is closed. Once for a queue.
int clinux_uring_register(clinux_uring *queue, void *const *addresses, const size_t *sizes, unsigned count);

/// How many entries may be prepared before the next submission.
unsigned clinux_uring_space(clinux_uring *queue);

/// Prepares a write of `count` bytes; `buffer` is the number of the registered memory that holds them all, or −1. There
/// must be space.
void clinux_uring_write(clinux_uring *queue, int descriptor, const void *bytes, uint32_t count, uint64_t offset,
    int buffer, int link, uint64_t tag);

/// Prepares an fdatasync. There must be space.
void clinux_uring_datasync(clinux_uring *queue, int descriptor, uint64_t tag);

/// Submits what was prepared, in one call; the number of entries that the kernel took.
int clinux_uring_submit(clinux_uring *queue);

/// What an entry ended with: a count or −errno.
typedef struct {
  uint64_t tag;
  int32_t result;
} clinux_uring_completion;

/// Takes up to `capacity` completions; waits up to `nanoseconds` for the first. The number taken, 0 when none came.
int clinux_uring_reap(
    clinux_uring *queue, clinux_uring_completion *completions, unsigned capacity, int64_t nanoseconds);
