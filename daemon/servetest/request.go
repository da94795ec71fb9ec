package servetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"modwsgi/daemon"
)

// A Reply is what a process answered.
type Reply struct {
	Last      daemon.Type // the frame that ended it
	Status    int
	Body      string
	Elsewhere bool // of Again
}

// A Call is a request that was sent.
type Call struct{ conn net.Conn }

const reloading = 1 // MW_CALL_RELOADING of interp/gateway.h

// Send sends a request for a script, in the main interpreter, as a child of Apache's would that has taken a permit.
func (p *Process) Send(script string) (*Call, error) {
	if !p.Board.AddPermits(0, serial, -1) {
		return nil, errors.New("the slot is another process's")
	}
	conn, err := net.Dial("unix", p.Socket)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	frames, err := daemon.AppendRequest(daemon.AppendHello(nil, daemon.ClientHello), &daemon.Request{
		Start: uint64(time.Now().UnixMicro()), Queued: uint64(time.Now().UnixMicro()), Flags: reloading, Complete: true,
		Script: script, Callable: "application", Resource: script,
		Environ: []daemon.Pair{{Key: "REQUEST_METHOD", Value: []byte("GET")}, {Key: "SCRIPT_NAME", Value: []byte{}}, {Key: "PATH_INFO", Value: []byte("/")},
			{Key: "QUERY_STRING", Value: []byte{}}, {Key: "SERVER_NAME", Value: []byte("localhost")}, {Key: "SERVER_PORT", Value: []byte("80")},
			{Key: "REQUEST_URI", Value: []byte("/")}, {Key: "SERVER_PROTOCOL", Value: []byte("HTTP/1.1")}},
		Window: []byte{},
	})
	if err == nil {
		_, err = conn.Write(frames)
	}
	return &Call{conn}, err
}

// Reply waits for the answer.
func (c *Call) Reply() (r Reply, err error) {
	defer c.conn.Close()
	for {
		var header [daemon.HeaderSize]byte
		if _, err := io.ReadFull(c.conn, header[:]); err != nil {
			return r, fmt.Errorf("the answer was cut: %w", err)
		}
		h, err := daemon.ParseHeader(header)
		if err != nil {
			return r, err
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(c.conn, payload); err != nil {
			return r, fmt.Errorf("the answer was cut: %w", err)
		}
		r.Last, r.Elsewhere = h.Type, h.Flags&daemon.FlagElsewhere != 0
		switch h.Type {
		case daemon.Start:
			answer, err := daemon.ParseStart(payload)
			if err != nil {
				return r, err
			}
			r.Status = int(answer.Status)
		case daemon.Data:
			r.Body += string(payload)
		case daemon.Fail, daemon.Abort:
			failure, err := daemon.ParseFailure(payload)
			r.Status = int(failure.Status)
			return r, err
		case daemon.End, daemon.Again:
			return r, nil
		}
	}
}

// Ask sends a request and waits for its answer.
func (p *Process) Ask(script string) (Reply, error) {
	call, err := p.Send(script)
	if err != nil {
		return Reply{}, err
	}
	return call.Reply()
}
