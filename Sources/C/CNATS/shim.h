#pragma once
#include <malloc.h>
#include <nats/nats.h>
