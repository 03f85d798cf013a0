// Complex numbers of single precision, which is the header's default and the linked library's type.
#pragma once
#include <kissfft/kiss_fft.h>
