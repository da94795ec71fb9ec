package server

/*
#include <stdlib.h>
#include "server.h"
*/
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	"modwsgi/daemon/errorlog"
	"modwsgi/directives"
)

const (
	levelAlert   = int(errorlog.Alert)
	levelCrit    = int(errorlog.Critical)
	levelWarning = int(errorlog.Warning)
	levelInfo    = int(errorlog.Info)
)

// logAt writes a record that belongs to no request.
func logAt(level int, format string, args ...any) {
	text := []byte(fmt.Sprintf(format, args...))
	if len(text) > 0 {
		C.mwd_log_write(C.int(level), (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
	}
}

// useLogFormat makes records look like those of the server that declares the group. The error is about ErrorLogFormat; records have the
// default format then.
func useLogFormat(config *directives.Config, server int) error {
	parsed, level, err := errorlog.FromFacts(config.Facts, server, config.Servers[server].Name)
	pieces := parsed.Pieces(errorlog.Info)
	list := unsafe.Slice((*C.mwd_log_piece)(C.calloc(C.size_t(len(pieces)+1), C.sizeof_mwd_log_piece)), len(pieces)+1)
	for i, piece := range pieces {
		list[i] = logPiece(piece)
	}
	format := (*C.mwd_log_format)(C.calloc(1, C.sizeof_mwd_log_format)) // used until the process ends
	format.pieces, format.n, format.level = &list[0], C.size_t(len(pieces)), C.int(level)
	C.mwd_log_set_format(format)
	return err
}

// logPiece translates for C, which knows fewer kinds.
func logPiece(piece errorlog.Piece) C.mwd_log_piece {
	switch piece.Kind {
	case errorlog.KindTimeCompactSeconds:
		return C.mwd_log_piece{kind: C.MWD_LOG_TIME_COMPACT}
	case errorlog.KindZone:
		return C.mwd_log_piece{kind: C.MWD_LOG_TEXT, text: C.CString(time.Now().Format("-0700"))}
	case errorlog.KindText:
		return C.mwd_log_piece{kind: C.MWD_LOG_TEXT, text: C.CString(piece.Text)}
	}
	return C.mwd_log_piece{kind: C.mwd_log_piece_kind(piece.Kind)}
}
