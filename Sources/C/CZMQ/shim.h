#pragma once
#include <malloc.h>
#include <zmq.h>
