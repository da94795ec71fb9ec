package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
	"modwsgi/directives"
)

// Program is what a supervisor executes for a daemon process: the file that it was started from, even if another one has its name by now.
const Program = "/proc/self/exe"

// A Supervisor looks after all groups of one configuration.
type Supervisor struct {
	config *directives.Config
	board  *daemon.Board
	former *daemon.Board // the last configuration's, if its processes serve until ours are ready; or nil
	errors *os.File
	groups []*group
	files  []*os.File // to be closed at the end
	done   sync.WaitGroup

	office   *office
	replaced atomic.Bool // Apache has another configuration by now
}

// New makes a supervisor for a recording. board is the descriptor of the board, which may be empty or left by an earlier supervisor of the
// same configuration. errors is the main server's error log. program is executed for each process.
func New(recording []byte, board int, errors *os.File, program string) (*Supervisor, error) {
	decoded, err := directives.Decode(recording)
	if err != nil {
		return nil, err
	}
	config, err := directives.Compile(decoded)
	if err != nil {
		return nil, err
	}
	s := &Supervisor{config: config, errors: errors}
	slots := daemon.Slots(config.Process.Groups)
	serial := lastSerial(board, slots)
	if s.board, err = daemon.FormatBoard(board, slots); err != nil {
		return nil, err
	}
	// So that no daemon process can cut it off under the others. It fails if the memory was not made to be sealed.
	_, _ = unix.FcntlInt(uintptr(board), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW)
	if err := s.addGroups(recording, board, slots, serial, program); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// lastSerial is the highest serial that a process had whose supervisor died; 0 for a new board. Processes can write to the board: a number
// that nobody can have counted up to is not believed.
func lastSerial(fd int, slots []int) uint32 {
	const believed = 1 << 31
	old, err := daemon.OpenBoard(fd, slots)
	if err != nil {
		return 0
	}
	last, total := uint32(0), 0
	for _, n := range slots {
		total += n
	}
	for i := range total {
		if serial := old.Slot(i).Serial; serial < believed {
			last = max(last, serial)
		}
	}
	return last
}

func (s *Supervisor) addGroups(recording []byte, board int, slots []int, serial uint32, program string) error {
	shared, err := shareRecording(recording)
	if err != nil {
		return err
	}
	s.files = append(s.files, shared)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	s.files = append(s.files, null)
	environment := append(os.Environ(), daemon.StartVariable+"="+startValue)
	for i, g := range s.config.Process.Groups {
		errors := s.errorsOf(g.Server)
		log := s.logFor(g.Server, errors)
		l := &launcher{program: program, arguments: commandLine(g), environment: environment, log: log,
			null: int(null.Fd()), board: board, recording: int(shared.Fd()), errors: int(errors.Fd()),
			socket: socketOptions{owner: -1, sendBuffer: g.SendBufferSize, receiveBuffer: g.ReceiveBufferSize}}
		if g.Threads > 0 {
			l.base = daemon.SocketBase(s.config, i)
			removeLeft(l.base, serial)
		}
		made := newGroup(g, i, slots[i], s.board, serial, l, log)
		if l.socket.owner, err = socketOwner(g, s.config.Facts); err != nil {
			made.starter = refusal{&fault{codeNoOwner, "find the owner of its sockets", err}}
		}
		s.groups = append(s.groups, made)
	}
	return nil
}

// A refusal is the starter of a group that can't be started.
type refusal struct{ fault *fault }

func (r refusal) start(daemon.Assignment, func(event)) (process, error) { return nil, r.fault }

// errorsOf opens the error log of a server once more: it is a descriptor of Apache's parent. The main server's is our own.
func (s *Supervisor) errorsOf(server int) *os.File {
	text := s.config.Facts[fmt.Sprintf("server.%d.log_fd", server)]
	if _, err := strconv.ParseUint(text, 10, 31); err != nil {
		return s.errors
	}
	file, err := os.OpenFile(fmt.Sprintf("/proc/%s/fd/%s", s.config.Facts["parent_pid"], text), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		s.logFor(server, s.errors).Printf(errorlog.Warning, 0, "cannot open the error log of server %s, the main server's is used: %v",
			s.config.Servers[server].Name, err)
		return s.errors
	}
	s.files = append(s.files, file)
	return file
}

func (s *Supervisor) logFor(server int, out *os.File) *errorlog.Log {
	format, level, err := errorlog.FromFacts(s.config.Facts, server, s.config.Servers[server].Name)
	log := errorlog.New(out, format, level)
	if err != nil {
		log.Printf(errorlog.Warning, 0, "%v; its records look as if it were not set", err)
	}
	return log
}

// Start starts the groups and returns when each has begun: its sockets exist, its processes were started, or the log says why not.
func (s *Supervisor) Start() {
	for _, g := range s.groups {
		s.done.Go(g.run)
	}
	for _, g := range s.groups {
		<-g.begun
	}
	s.openOffice()
}

// Ring says that a request waits for the group of that number. It never waits itself.
func (s *Supervisor) Ring(number uint32) {
	if number < uint32(len(s.groups)) {
		s.groups[number].ring()
	}
}

// Stop ends every process, and returns when all are reaped. It may be called once.
func (s *Supervisor) Stop() error {
	for _, g := range s.groups {
		close(g.stop)
	}
	s.done.Wait()
	s.office.close()
	return s.close()
}

func (s *Supervisor) close() error {
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
