// Runs a program where the kernel refuses io_uring, or kills it after one of its system calls:
//
//   Confined no-io-uring PROGRAM [ARGUMENT …]   io_uring_setup gives EPERM, for the program and all that it starts
//   Confined kill-after N PROGRAM [ARGUMENT …]  SIGKILL after the first thread's N-th system call; N = 0: never
//
// The second prints how many calls there were. Ends as the program does, with 128 + the signal that killed it, or with
// 77 where the kernel forbids what is needed.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { usage = 64, forbidden = 77 };

static int run_without_io_uring(char **program) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {.len = sizeof code / sizeof code[0], .filter = code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    return forbidden;
  execv(program[0], program);
  return usage;
}

static int run_killed(long last, char **program) {
  pid_t child = fork();
  if (child < 0) return forbidden;
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(forbidden);
    raise(SIGSTOP);
    execv(program[0], program);
    _exit(usage);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return forbidden;
  if (ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(long)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)) != 0)
    return forbidden;
  long stops = 0;
  int signal = 0;
  // Each system call stops the program twice: before and after.
  while (ptrace(PTRACE_SYSCALL, child, NULL, (void *)(long)signal) == 0 && waitpid(child, &status, 0) == child &&
         WIFSTOPPED(status)) {
    signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) {
      signal = 0;
      stops += 1;
      if (last > 0 && stops == 2 * last) kill(child, SIGKILL);
    } else if (signal == SIGTRAP) {
      signal = 0;
    }
  }
  while (WIFSTOPPED(status) && waitpid(child, &status, 0) == child) {
  }
  printf("%ld\n", stops / 2);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **arguments) {
  if (count > 2 && strcmp(arguments[1], "no-io-uring") == 0) return run_without_io_uring(arguments + 2);
  if (count > 3 && strcmp(arguments[1], "kill-after") == 0) return run_killed(atol(arguments[2]), arguments + 3);
  return usage;
}
