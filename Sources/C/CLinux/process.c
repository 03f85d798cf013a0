#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int result(long value) { return value < 0 ? -errno : (int)value; }

int clinux_futex_wait(uint32_t *word, uint32_t expected, int64_t nanoseconds) {
  struct timespec timeout = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  return result(syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0));
}

int clinux_futex_wake(uint32_t *word, int count) {
  return result(syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0));
}

int clinux_pidfd_open(int pid) { return result(syscall(SYS_pidfd_open, pid, 0)); }

int clinux_pidfd_send_signal(int pidfd, int signal) {
  return result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

int clinux_pidfd_reap(int pidfd, int *status) {
  siginfo_t info = {0};
  if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -errno;
  if (info.si_pid == 0) return 0;
  *status = info.si_status;
  return info.si_code == CLD_EXITED ? 1 : 2;
}

int clinux_name_process(const char *name) { return result(prctl(PR_SET_NAME, name, 0, 0, 0)); }

int clinux_parent_death_signal(int signal) { return result(prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)); }

int clinux_own_mounts(void) {
  if (unshare(CLONE_NEWNS) < 0)
    return -errno;
  return result(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

int clinux_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++)
    if (sigaddset(&set, signals[i]) < 0) return -errno;
  int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (error != 0) return -error;
  return result(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

int clinux_signalfd_next(int descriptor) {
  struct signalfd_siginfo info;
  ssize_t count = read(descriptor, &info, sizeof info);
  if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  return count == sizeof info ? (int)info.ssi_signo : -EIO;
}

int clinux_signal_self_after(uint64_t nanoseconds, int signal) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
  struct itimerspec delay = {
      .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)}};
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return -errno;
  return timer_settime(timer, 0, &delay, NULL) != 0 ? -errno : 0;
}

int clinux_begin_writing(int descriptor) {
  return result(sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE));
}

int clinux_spawn_close_from(void *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int clinux_exchange(int folder, const char *name, const char *other) {
  enum { exchange = 2 };  // RENAME_EXCHANGE of <linux/fs.h>, which clashes with other headers
  return result(syscall(SYS_renameat2, folder, name, folder, other, exchange));
}

int clinux_idle_disk(void) {
  enum { thread = 1, idle = 3, shift = 13 };  // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE, IOPRIO_CLASS_SHIFT
  return result(syscall(SYS_ioprio_set, thread, 0, idle << shift));
}
