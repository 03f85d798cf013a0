import KernelsV4
