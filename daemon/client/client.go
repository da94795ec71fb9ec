// Package client is the way from a child of Apache's to the daemon processes: C that runs on the threads of requests (client.h).
package client

/*
#cgo CFLAGS: -D_GNU_SOURCE -Wall -Wextra -Werror -fvisibility=hidden
#include "client.h"
*/
import "C"
