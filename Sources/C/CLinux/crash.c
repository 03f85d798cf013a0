// A report of a crash, written by the process that crashes: nothing is allocated, no lock is taken, and a second is all
// it has. Where the report itself crashes, the process ends as it would have without one.
#define _GNU_SOURCE
#include "CLinux.h"

#include <elf.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { frame_limit = 96, name_limit = 400, second_limit = 1, head_limit = 512 };

static const int signals[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
static char report_path[4096];
static char report_head[head_limit];
static atomic_int is_crashing;
static char signal_stack[64 << 10];

// What is written, gathered so that few calls write it.
static int output = -1;
static char text[8192];
static size_t text_count;

static void flush(void) {
  size_t done = 0;
  while (done < text_count) {
    ssize_t count = write(output, text + done, text_count - done);
    if (count <= 0 && errno != EINTR) break;
    if (count > 0) done += (size_t)count;
  }
  text_count = 0;
}

static void put_bytes(const char *bytes, size_t count) {
  if (count > sizeof text) count = sizeof text;
  if (text_count + count > sizeof text) flush();
  memcpy(text + text_count, bytes, count);
  text_count += count;
}

static void put(const char *string) { put_bytes(string, strlen(string)); }

static void put_number(uint64_t number, unsigned base) {
  char digits[24];
  size_t first = sizeof digits;
  do digits[--first] = "0123456789abcdef"[number % base];
  while ((number /= base) > 0);
  put_bytes(digits + first, sizeof digits - first);
}

static void put_hex(uint64_t number) {
  put("0x");
  put_number(number, 16);
}

// A line of /proc/self/maps: which file lies where.
typedef struct {
  uint64_t start, end, offset;
  char path[1024];
} mapping;

static uint64_t hex(const char **cursor) {
  uint64_t number = 0;
  for (;; (*cursor)++) {
    char c = **cursor;
    if (c >= '0' && c <= '9') number = number << 4 | (uint64_t)(c - '0');
    else if (c >= 'a' && c <= 'f') number = number << 4 | (uint64_t)(c - 'a' + 10);
    else return number;
  }
}

static int parse(const char *line, mapping *found) {
  found->start = hex(&line);
  if (*line++ != '-') return 0;
  found->end = hex(&line);
  for (int space = 0; space < 2; line++) {
    if (*line == 0) return 0;
    if (*line == ' ') space++;
  }
  found->offset = hex(&line);
  const char *path = strchr(line, '/');
  found->path[0] = 0;
  if (path != NULL && strlen(path) < sizeof found->path) strcpy(found->path, path);
  return 1;
}

// The mapping with an address; 0 where there is none.
static int find_mapping(uint64_t address, mapping *found) {
  static char buffer[4096];
  static char line[1536];
  int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return 0;
  size_t length = 0;
  int result = 0;
  for (ssize_t count; result == 0 && (count = read(maps, buffer, sizeof buffer)) > 0;) {
    for (ssize_t index = 0; result == 0 && index < count; index++) {
      if (buffer[index] != '\n') {
        if (length < sizeof line - 1) line[length++] = buffer[index];
        continue;
      }
      line[length] = 0;
      length = 0;
      result = parse(line, found) && address >= found->start && address < found->end;
    }
  }
  close(maps);
  return result;
}

// A file of code, mapped to be read. What it says of itself is checked: it may have been changed since it was loaded.
static struct {
  char path[1024];
  const uint8_t *bytes;
  size_t count;
} image;

static const void *within(uint64_t offset, uint64_t count) {
  return offset <= image.count && count <= image.count - offset ? image.bytes + offset : NULL;
}

static void open_image(const char *path) {
  if (strcmp(path, image.path) == 0) return;
  if (image.bytes != NULL) munmap((void *)image.bytes, image.count);
  image.bytes = NULL;
  image.count = 0;
  strcpy(image.path, path);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  struct stat status;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > (off_t)sizeof(ElfW(Ehdr))) {
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes != MAP_FAILED) {
      image.bytes = bytes;
      image.count = (size_t)status.st_size;
    }
  }
  close(file);
  if (image.bytes != NULL && memcmp(image.bytes, ELFMAG, SELFMAG) != 0) {
    munmap((void *)image.bytes, image.count);
    image.bytes = NULL;
  }
}

// Where the linker put what lies at an offset of the file; the offset itself where the file does not tell.
static uint64_t linked_address(uint64_t offset) {
  const ElfW(Ehdr) *header = image.bytes == NULL ? NULL : within(0, sizeof *header);
  for (unsigned index = 0; header != NULL && index < header->e_phnum; index++) {
    const ElfW(Phdr) *part = within(header->e_phoff + (uint64_t)index * sizeof *part, sizeof *part);
    if (part == NULL || part->p_type != PT_LOAD) continue;
    if (offset >= part->p_offset && offset - part->p_offset < part->p_filesz)
      return offset - part->p_offset + part->p_vaddr;
  }
  return offset;
}

// The function with an address: its name, and where it begins; NULL where the file does not tell.
static const char *function_in(const ElfW(Shdr) *symbols, const ElfW(Shdr) *names, uint64_t address, uint64_t *start) {
  const ElfW(Sym) *all = within(symbols->sh_offset, symbols->sh_size);
  const char *strings = within(names->sh_offset, names->sh_size);
  if (all == NULL || strings == NULL || names->sh_size == 0) return NULL;
  const char *found = NULL;
  for (uint64_t index = 0; index < symbols->sh_size / sizeof *all; index++) {
    const ElfW(Sym) *symbol = &all[index];
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_value > address) continue;
    if (address - symbol->st_value >= (symbol->st_size > 0 ? symbol->st_size : 1)) continue;
    if (symbol->st_name >= names->sh_size) continue;
    found = strings + symbol->st_name;
    *start = symbol->st_value;
    if (memchr(found, 0, names->sh_size - symbol->st_name) == NULL) return NULL;
  }
  return found;
}

static const char *function_at(uint64_t address, uint64_t *start) {
  const ElfW(Ehdr) *header = image.bytes == NULL ? NULL : within(0, sizeof *header);
  const uint32_t kinds[] = {SHT_SYMTAB, SHT_DYNSYM};
  for (int kind = 0; header != NULL && kind < 2; kind++) {
    for (unsigned index = 0; index < header->e_shnum; index++) {
      const ElfW(Shdr) *section = within(header->e_shoff + (uint64_t)index * sizeof *section, sizeof *section);
      if (section == NULL || section->sh_type != kinds[kind] || section->sh_link >= header->e_shnum) continue;
      const ElfW(Shdr) *names = within(header->e_shoff + (uint64_t)section->sh_link * sizeof *names, sizeof *names);
      const char *name = names == NULL ? NULL : function_in(section, names, address, start);
      if (name != NULL) return name;
    }
  }
  return NULL;
}

static void put_build(void) {
  const ElfW(Ehdr) *header = image.bytes == NULL ? NULL : within(0, sizeof *header);
  for (unsigned index = 0; header != NULL && index < header->e_phnum; index++) {
    const ElfW(Phdr) *part = within(header->e_phoff + (uint64_t)index * sizeof *part, sizeof *part);
    if (part == NULL || part->p_type != PT_NOTE || part->p_align != 4) continue;
    // Each turn moves on by a note's header at least.
    for (uint64_t place = 0; place < part->p_filesz;) {
      const ElfW(Nhdr) *note = within(part->p_offset + place, sizeof *note);
      if (note == NULL) break;
      place += sizeof *note + (note->n_namesz + 3ull) / 4 * 4;
      const uint8_t *build = within(part->p_offset + place, note->n_descsz);
      place += (note->n_descsz + 3ull) / 4 * 4;
      if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || build == NULL || note->n_descsz > 64) continue;
      put("build ");
      for (uint32_t byte = 0; byte < note->n_descsz; byte++) {
        put_number(build[byte] >> 4, 16);
        put_number(build[byte] & 15, 16);
      }
      return put("\n");
    }
  }
}

// A line for a frame: number, address, file, address in the file, function. `return` addresses are behind their calls.
static void put_frame(int number, uint64_t address, int is_return) {
  static mapping found;
  put_number((uint64_t)number, 10);
  put("  ");
  put_hex(address);
  uint64_t place = is_return ? address - 1 : address;
  if (find_mapping(place, &found) && found.path[0] != 0) {
    open_image(found.path);
    uint64_t linked = linked_address(place - found.start + found.offset), start = 0;
    put("  ");
    put(strrchr(found.path, '/') + 1);
    put("+");
    put_hex(linked);
    const char *name = function_at(linked, &start);
    if (name != NULL) {
      put("  ");
      put_bytes(name, strnlen(name, name_limit));
      put("+");
      put_number(linked - start, 10);
    }
  }
  put("\n");
}

static void put_head(int number, const siginfo_t *info) {
  char name[17] = {0};
  prctl(PR_GET_NAME, name, 0, 0, 0);
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  put(report_head);
  put("\nprocess ");
  put_number((uint64_t)getpid(), 10);
  put(", thread ");
  put_number((uint64_t)syscall(SYS_gettid), 10);
  put(" ");
  put(name);
  put(", signal ");
  put_number((uint64_t)number, 10);
  put(info->si_code <= 0 ? ", sent by process " : ", at address ");
  if (info->si_code <= 0) put_number((uint64_t)info->si_pid, 10);
  else put_hex((uint64_t)info->si_addr);
  put(", ");
  put_number((uint64_t)now.tv_sec, 10);
  put(" s since 1970\n");
}

static void put_registers(const ucontext_t *context) {
#if defined(__x86_64__)
  static const char *const names[] = {"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx",
      "rdx", "rax", "rcx", "rsp", "rip"};
  for (int index = 0; index < 17; index++) {
    put(index == 0 ? "" : " ");
    put(names[index]);
    put(" ");
    put_hex((uint64_t)context->uc_mcontext.gregs[index]);
  }
  put("\n");
#endif
}

static void put_frames(const ucontext_t *context) {
  static void *frames[frame_limit];
  // What was written until here is there whatever comes.
  flush();
#if defined(__x86_64__)
  static mapping code;
  uint64_t crashed = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
  // The unwinder looks there.
  if (!find_mapping(crashed, &code)) return put("no code lies there\n");
#endif
  int count = backtrace(frames, frame_limit), first = 0;
#if defined(__x86_64__)
  // The first ones are this handler's.
  for (int index = 0; index < count; index++)
    if ((uint64_t)frames[index] == crashed) first = index;
#endif
  put("frames");
  for (int index = first; index < count; index++) {
    put(" ");
    put_hex((uint64_t)frames[index]);
  }
  put("\n");
  flush();
  for (int index = first; index < count; index++) put_frame(index - first, (uint64_t)frames[index], index > first);
}

static void crashed(int number, siginfo_t *info, void *context) {
  // One thread reports; another one that crashes meanwhile waits for the end of the process.
  while (atomic_exchange(&is_crashing, 1) != 0) pause();
  alarm(second_limit);
  output = open(report_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (output >= 0) {
    put_head(number, info);
    put_registers(context);
    put_frames(context);
    open_image("/proc/self/exe");
    put_build();
    put("end of report\n");
    flush();
    close(output);
  }
  // Comes when this handler returns: not earlier, for another thread may crash in the same way.
  signal(number, SIG_DFL);
  raise(number);
}

int clinux_crash_report(const char *path, const char *head) {
  if (strlen(path) >= sizeof report_path || strlen(head) >= sizeof report_head) return -ENAMETOOLONG;
  strcpy(report_path, path);
  strcpy(report_head, head);
  // Loads the unwinder, which a process that crashes could not.
  void *frame;
  backtrace(&frame, 1);
  stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  if (sigaltstack(&stack, NULL) != 0) return -errno;
  struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  // A signal that comes while all are blocked, and cannot wait, ends the process.
  sigfillset(&action.sa_mask);
  sigdelset(&action.sa_mask, SIGALRM);
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++)
    if (sigaction(signals[index], &action, NULL) != 0) return -errno;
  return 0;
}
