package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/admin"
	"modwsgi/daemon/errorlog"
)

// An office answers administrators on the control socket.
type office struct {
	socket *socket
	server http.Server
	closed chan struct{}
}

// openOffice makes the control socket. Without one, requests are served all the same.
func (s *Supervisor) openOffice() {
	log := s.logFor(0, s.errors)
	o, err := s.listenForAdministrators(log)
	if err != nil {
		log.Printf(errorlog.Warning, codeNoOffice, "cannot make the socket for `mod_wsgi-daemon status`: %v", err)
		return
	}
	s.office = o
}

func (s *Supervisor) listenForAdministrators(log *errorlog.Log) (*office, error) {
	path := daemon.ControlPath(s.config)
	if left, err := os.Lstat(path); err == nil && left.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(path) // of a supervisor of the same configuration that was killed; if it stays, listening fails
	}
	made, err := listen(path, socketOptions{owner: -1}, log)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(made.fd), path)
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		made.remove()
		return nil, err
	}
	o := &office{socket: made, closed: make(chan struct{})}
	o.server.Handler, o.server.ConnContext, o.server.ErrorLog = onlyAdministrators(s.routes(log)), withPeer, nil
	o.server.ReadHeaderTimeout = 10 * time.Second
	go func() {
		defer close(o.closed)
		_ = o.server.Serve(listener) // until it is closed
	}()
	return o, nil
}

func (o *office) close() {
	if o == nil {
		return
	}
	o.socket.remove()
	_ = o.server.Close() // whoever waits for something waits in vain
	<-o.closed
}

func (s *Supervisor) routes(log *errorlog.Log) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { reply(w, s.status()) })
	mux.HandleFunc("GET /stacks", s.forGroup(func(w http.ResponseWriter, r *http.Request, g *group) { reply(w, g.stacks()) }))
	mux.HandleFunc("POST /restart", s.forGroup(func(w http.ResponseWriter, r *http.Request, g *group) {
		wait, err := strconv.ParseFloat(r.FormValue("wait"), 64)
		if err != nil {
			wait = 0
		}
		user, _ := r.Context().Value(peerKey{}).(*unix.Ucred)
		log.Printf(errorlog.Notice, 0, "user %d (process %d) restarts group '%s'", user.Uid, user.Pid, g.config.Name)
		reply(w, g.restart(r.Context(), time.Duration(wait*float64(time.Second))))
	}))
	return mux
}

func (s *Supervisor) forGroup(handle func(http.ResponseWriter, *http.Request, *group)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.FormValue("group")
		for _, g := range s.groups {
			if g.config.Name == name {
				handle(w, r, g)
				return
			}
		}
		http.Error(w, fmt.Sprintf("there is no process group '%s'", name), http.StatusNotFound)
	}
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // who asked may have gone
}

// restart replaces the processes of a group.
func (g *group) restart(ctx context.Context, wait time.Duration) admin.Restart {
	began := time.Now()
	limit := time.NewTimer(wait)
	defer limit.Stop()
	var r *roll
	var result admin.Restart
	if g.do(func() { r = g.startRoll() }) {
		select {
		case <-r.done:
		case <-limit.C:
		case <-ctx.Done():
		case <-g.over:
		}
		g.do(func() { result.Replaced, result.Left = r.replaced, len(r.waiting) })
	}
	result.Took = time.Since(began).Seconds()
	return result
}

// ---- Who may ----

type peerKey struct{}

// withPeer remembers who is at the other end (unix(7), SO_PEERCRED).
func withPeer(ctx context.Context, c net.Conn) context.Context {
	connection, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := connection.SyscallConn()
	if err != nil {
		return ctx
	}
	var peer *unix.Ucred
	if raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// onlyAdministrators lets in root and the user that has started Apache. The mode of the socket's file does the same, but not everywhere: a
// folder of WSGISocketPrefix may be shared with other machines or containers.
func onlyAdministrators(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, known := r.Context().Value(peerKey{}).(*unix.Ucred)
		if !known || peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
			http.Error(w, "only root and the user that has started Apache may ask", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
