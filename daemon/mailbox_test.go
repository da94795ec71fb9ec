package daemon

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

const mailboxPatience = 20 * time.Second

func mailboxes(t *testing.T) (child, process *Mailbox) {
	t.Helper()
	slots := []int{4, 8}
	board, fd := formatted(t, slots...)
	process, err := OpenMailbox(fd, slots)
	if err != nil {
		t.Fatal(err)
	}
	return MailboxOf(unsafe.Pointer(&board.memory[0]), slots), process
}

func TestAnAnswerIsMadeAfterItsQuestion(t *testing.T) {
	child, process := mailboxes(t)
	var now atomic.Int64
	go child.Serve(func() []byte { return fmt.Appendf(nil, "made at %d", now.Load()) })
	for i := range int64(200) {
		now.Store(i)
		if got, want := string(process.Ask(mailboxPatience)), fmt.Sprintf("made at %d", i); got != want {
			t.Fatalf("the answer was %q, not %q", got, want)
		}
	}
}

func TestManyAskAndManyAnswer(t *testing.T) {
	child, process := mailboxes(t)
	for i := range 4 {
		go child.Serve(func() []byte { return bytes.Repeat([]byte{byte('a' + i)}, 10000+i) })
	}
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 100 {
				answer := string(process.Ask(mailboxPatience))
				if answer == "" || answer != strings.Repeat(answer[:1], 10000+int(answer[0]-'a')) {
					t.Errorf("an answer of %d bytes that is not whole", len(answer))
				}
			}
		})
	}
	asking.Wait()
}

func TestNobodyAnswersWhereThereIsNoChild(t *testing.T) {
	_, process := mailboxes(t)
	if got := process.Ask(time.Millisecond); got != nil {
		t.Errorf("the answer was %q", got)
	}
}

func TestTheLastAnswerIsGivenWhenNoChildIsLeft(t *testing.T) {
	child, process := mailboxes(t)
	child.write([]byte("before it died"))
	if got := process.Ask(time.Millisecond); string(got) != "before it died" {
		t.Errorf("the answer was %q", got)
	}
}

func TestAChildThatDiesOverAQuestionIsNotWaitedFor(t *testing.T) {
	child, process := mailboxes(t)
	child.number(mailboxClaimed).Store(1) // as one that has begun with the first question
	go child.Serve(func() []byte { return []byte("by another one") })
	if got := process.Ask(mailboxPatience); string(got) != "by another one" {
		t.Errorf("the answer was %q", got)
	}
}

func TestAnAnswerThatIsTooLongIsNone(t *testing.T) {
	child, process := mailboxes(t)
	child.write(make([]byte, MailboxSize))
	if got := process.Ask(time.Millisecond); got != nil {
		t.Errorf("%d bytes", len(got))
	}
	whole := bytes.Repeat([]byte("x"), MailboxSize-mailboxAnswer)
	child.write(whole)
	if got := process.Ask(time.Millisecond); !bytes.Equal(got, whole) {
		t.Errorf("%d bytes instead of %d", len(got), len(whole))
	}
}
