#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

int clinux_affinity_get(uint8_t *isMember) {
  cpu_set_t *set = CPU_ALLOC(clinux_core_capacity);
  if (!set) return -ENOMEM;
  size_t size = CPU_ALLOC_SIZE(clinux_core_capacity);
  CPU_ZERO_S(size, set);
  int error = sched_getaffinity(0, size, set) < 0 ? errno : 0;
  for (int core = 0; core < clinux_core_capacity; core++) isMember[core] = !error && CPU_ISSET_S(core, size, set);
  CPU_FREE(set);
  return -error;
}

int clinux_affinity_set(const int *cores, int count) {
  cpu_set_t *set = CPU_ALLOC(clinux_core_capacity);
  if (!set) return -ENOMEM;
  size_t size = CPU_ALLOC_SIZE(clinux_core_capacity);
  CPU_ZERO_S(size, set);
  for (int i = 0; i < count; i++)
    if (cores[i] >= 0 && cores[i] < clinux_core_capacity) CPU_SET_S(cores[i], size, set);
  int error = sched_setaffinity(0, size, set) < 0 ? errno : 0;
  CPU_FREE(set);
  return -error;
}

int clinux_numa_node_limit(void) { return numa_available() < 0 ? 0 : numa_max_node() + 1; }

int64_t clinux_numa_memory(int node) {
  long long size = numa_node_size64(node, NULL);
  return size < 0 ? 0 : size;
}

int clinux_numa_cores(int node, uint8_t *isMember) {
  memset(isMember, 0, clinux_core_capacity);
  struct bitmask *mask = numa_allocate_cpumask();
  if (!mask) return -ENOMEM;
  int error = numa_node_to_cpus(node, mask) < 0 ? errno : 0;
  for (unsigned core = 0; !error && core < mask->size && core < clinux_core_capacity; core++)
    isMember[core] = numa_bitmask_isbitset(mask, core) != 0;
  numa_free_cpumask(mask);
  return -error;
}

int clinux_numa_prefer(void *address, size_t count, int node) {
  enum { bits = 8 * sizeof(unsigned long), nodes = 1024 };
  if (node < 0 || node >= nodes) return -EINVAL;
  unsigned long mask[nodes / bits] = {0};
  mask[node / bits] = 1ul << node % bits;
  return mbind(address, count, MPOL_PREFERRED, mask, nodes, 0) < 0 ? -errno : 0;
}
