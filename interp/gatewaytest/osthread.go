package gatewaytest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

func gettid() int { return syscall.Gettid() }

// waitForThreadEnd returns when this process has no thread of that id.
func waitForThreadEnd(id int) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", id)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return fmt.Errorf("thread %d did not end within 20 s", id)
}
