package directives

import (
	"errors"
	"fmt"
)

const recordingMagic = "MWR1"

// A Recording is everything that Apache's parent wrote down while it read its configuration.
type Recording struct {
	// Fingerprint of the directive table that the numbers in Records refer to; Encode takes this package's own when it
	// is empty.
	Fingerprint string
	// Facts about the server, by name: server_root, euid, mpm, python_version and others. An absent one reads as "".
	Facts   map[string]string
	Servers []Server
	Records []Record // in the order of the configuration
}

// A Server is the main server or a virtual host.
type Server struct {
	Name    string // ServerName, "" if there is none
	Port    int
	File    string
	Line    int
	Virtual bool
}

// A Record is one directive as Apache met it.
type Record struct {
	Server    int    // index in Recording.Servers
	Leaf      uint32 // 0: server scope; otherwise the number of the directory-type section
	Directive int    // index in Table
	Context   Context
	Args      string // as they stand in the file
	File      string
	Line      int
	Section   string // path of the enclosing directory-type section, or ""
}

// Context says where a record stands. The values are part of the wire format.
type Context uint32

const (
	InVirtualHost Context = 1 << iota
	InDirectory           // <Directory>, <Location>, <Files>, <If> and their regex forms
	InLimit               // <Limit>, <LimitExcept>
	InHtaccess
	EndOfSection // the record is the end of a section directive, not its beginning
)

const serverIsVirtual = 1

// Decode reads an encoded Recording. It refuses one that was made with another directive table.
func Decode(b []byte) (*Recording, error) {
	r := wireReader{rest: b}
	r.magic(recordingMagic)
	rec := &Recording{Fingerprint: r.text()}
	if r.err == nil && rec.Fingerprint != Fingerprint() {
		return nil, fmt.Errorf("the module and this program are of different builds (directive tables %q and %q): install both from the same build",
			rec.Fingerprint, Fingerprint())
	}
	rec.Facts = r.facts()
	rec.Servers = make([]Server, r.count(20))
	for i := range rec.Servers {
		rec.Servers[i] = Server{Name: r.text(), Port: int(r.number()), File: r.text(), Line: int(r.number()),
			Virtual: r.number()&serverIsVirtual != 0}
	}
	if r.err == nil && len(rec.Servers) == 0 {
		r.err = errors.New("it has no server")
	}
	rec.Records = make([]Record, r.count(32))
	for i := range rec.Records {
		rec.Records[i] = Record{Server: int(r.number()), Leaf: r.number(), Directive: int(r.number()),
			Context: Context(r.number()), Args: r.text(), File: r.text(), Line: int(r.number()), Section: r.text()}
		if r.err == nil {
			r.err = rec.valid(i)
		}
		if r.err != nil {
			break
		}
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("unreadable recording of the configuration: %w", err)
	}
	return rec, nil
}

// valid checks the numbers of record i, which the rest of the package uses as indexes.
func (r *Recording) valid(i int) error {
	switch rec := &r.Records[i]; {
	case rec.Server >= len(r.Servers):
		return fmt.Errorf("record %d belongs to server %d of %d", i, rec.Server, len(r.Servers))
	case rec.Directive >= len(Table):
		return fmt.Errorf("record %d is directive %d of %d", i, rec.Directive, len(Table))
	}
	return nil
}

// Encode is the counterpart of Decode.
func (r *Recording) Encode() []byte {
	w := wireWriter{b: []byte(recordingMagic)}
	if r.Fingerprint == "" {
		w.text(Fingerprint())
	} else {
		w.text(r.Fingerprint)
	}
	w.facts(r.Facts)
	w.number(len(r.Servers))
	for _, s := range r.Servers {
		w.text(s.Name)
		w.number(s.Port)
		w.text(s.File)
		w.number(s.Line)
		if s.Virtual {
			w.number(serverIsVirtual)
		} else {
			w.number(0)
		}
	}
	w.number(len(r.Records))
	for _, rec := range r.Records {
		w.number(rec.Server)
		w.number(int(rec.Leaf))
		w.number(rec.Directive)
		w.number(int(rec.Context))
		w.text(rec.Args)
		w.text(rec.File)
		w.number(rec.Line)
		w.text(rec.Section)
	}
	return w.b
}
