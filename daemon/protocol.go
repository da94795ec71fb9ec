package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Version of the protocol. Both ends say theirs in HELLO, and part when they differ.
const Version = 3

// Limits that both ends hold the other one to. A frame beyond them is garbage, and the connection is closed.
const (
	HeaderSize  = 8        // bytes of a frame's header
	MaxRequest  = 16 << 20 // payload of RequestHead, bytes: the environ of a request and the first window of its body
	MaxPayload  = 1 << 20  // payload of every other frame, bytes
	FirstWindow = 64 << 10 // bytes of the request body that travel with RequestHead at most
)

// A Type says what a frame is. The numbers are part of the protocol; those from 0x80 on come from the daemon process.
type Type uint8

const (
	ClientHello Type = 0x01 // Hello
	RequestHead Type = 0x02 // Request
	Body        Type = 0x03 // bytes of the request body: an answer to Want, and never more than was wanted
	BodyEnd     Type = 0x04 // empty, an answer to Want: the request body is complete
	BodyFailed  Type = 0x05 // Failure, an answer to Want: the client's body can't be read

	ServerHello Type = 0x81 // Hello
	Want        Type = 0x82 // uint32: the application waits for that many bytes of the request body, or fewer
	Start       Type = 0x83 // Answer: status and headers
	Data        Type = 0x84 // bytes of the answer's body; FlagFlush
	File        Type = 0x85 // FileRange, with a descriptor as SCM_RIGHTS on the first byte of the frame
	Log         Type = 0x86 // LogRecord, for the error log of the request's virtual host
	End         Type = 0x87 // empty: the answer is complete; FlagShort
	Abort       Type = 0x88 // Failure after Start: the answer must look cut
	Fail        Type = 0x89 // Failure instead of Start: Apache answers with its page for the status
	Again       Type = 0x8a // empty, instead of Start: this process is to be replaced, another one shall get the request; FlagElsewhere
)

// Flags of a frame's header.
const (
	FlagFlush     = 1 << 0 // Data: send it to the client before waiting for more
	FlagShort     = 1 << 1 // End: the body is shorter than its Content-Length
	FlagElsewhere = 1 << 2 // Again: this process stays, but the request is for any other one
)

// A Header is the first HeaderSize bytes of a frame: type, flags, two zero bytes, length of the payload (little-endian, as all numbers).
type Header struct {
	Type   Type
	Flags  uint8
	Length uint32 // bytes of the payload that follows
}

var errGarbage = errors.New("not a frame of this protocol")

// layouts says what may follow a header: how long the payload may be, and which flags there are.
var layouts = map[Type]struct {
	min, max uint32
	flags    uint8
}{
	ClientHello: {min: helloSize, max: helloSize},
	RequestHead: {min: requestFixed, max: MaxRequest},
	Body:        {min: 0, max: MaxPayload},
	BodyEnd:     {},
	BodyFailed:  {min: 2, max: MaxPayload},
	ServerHello: {min: helloSize, max: helloSize},
	Want:        {min: 4, max: 4},
	Start:       {min: 17, max: MaxPayload},
	Data:        {min: 1, max: MaxPayload, flags: FlagFlush},
	File:        {min: 16, max: 16},
	Log:         {min: logFixed, max: MaxPayload},
	End:         {flags: FlagShort},
	Abort:       {min: 2, max: MaxPayload},
	Fail:        {min: 2, max: MaxPayload},
	Again:       {flags: FlagElsewhere},
}

// AppendHeader appends the header of a frame.
func AppendHeader(b []byte, h Header) []byte {
	b = append(b, byte(h.Type), h.Flags, 0, 0)
	return binary.LittleEndian.AppendUint32(b, h.Length)
}

// ParseHeader reads a header and holds it to the limits of its type, so that its Length can be trusted.
func ParseHeader(b [HeaderSize]byte) (Header, error) {
	h := Header{Type: Type(b[0]), Flags: b[1], Length: binary.LittleEndian.Uint32(b[4:])}
	layout, known := layouts[h.Type]
	if !known || b[2] != 0 || b[3] != 0 || h.Flags&^layout.flags != 0 {
		return Header{}, fmt.Errorf("%w: header % x", errGarbage, b)
	}
	if h.Length < layout.min || h.Length > layout.max {
		return Header{}, fmt.Errorf("%w: frame 0x%02x of %d bytes, %d to %d are allowed", errGarbage, uint8(h.Type), h.Length, layout.min, layout.max)
	}
	return h, nil
}

// appendFrame appends a frame whose payload appendTo appends.
func appendFrame(b []byte, t Type, appendTo func([]byte) []byte) []byte {
	start := len(b)
	b = AppendHeader(b, Header{Type: t})
	b = appendTo(b)
	binary.LittleEndian.PutUint32(b[start+4:], uint32(len(b)-start-HeaderSize))
	return b
}
