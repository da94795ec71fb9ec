package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
)

// What a process said just before its end is heard, in order, and before its end; even if a copy of it holds the socket open.
func TestTheLastWordsOfAProcessAreHeard(t *testing.T) {
	for range 20 {
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		copies := os.NewFile(uintptr(ends[1]), "the process's end")
		if err := unix.SetNonblock(ends[0], true); err != nil {
			t.Fatal(err)
		}
		command := exec.Command("/bin/sh", "-c", "exit 3")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "end of the process", func() bool { return !running(command.Process.Pid) })
		const words = 40
		for i := range words {
			say(copies, daemon.Due, fmt.Sprint(i))
			_, _ = copies.WriteString("nonsense")
		}
		c := &child{handle: command.Process, control: os.NewFile(uintptr(ends[0]), "control")}
		var heard []event
		c.watch(7, &socket{}, func(e event) { heard = append(heard, e) })
		copies.Close()
		if len(heard) == 0 || heard[len(heard)-1].end == nil || heard[len(heard)-1].end.status.ExitStatus() != 3 {
			t.Fatalf("the last event is not the end: %+v", heard)
		}
		// More than mostRest packets need not be heard; nothing in between may be missing.
		if len(heard)-1 < mostRest/2 {
			t.Fatalf("%d notices, at least %d were to be heard", len(heard)-1, mostRest/2)
		}
		for i, e := range heard[:len(heard)-1] {
			if e.serial != 7 || e.notice != (daemon.Notice{Kind: daemon.Due, Reason: fmt.Sprint(i)}) {
				t.Fatalf("notice %d is %+v", i, e)
			}
		}
	}
}
