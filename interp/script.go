package interp

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ScriptName is the name in sys.modules of the module that a script becomes: applications recognize it by its prefix, and it is
// the same for the same path in every process. foldCase treats paths that differ in (ASCII) case only as one.
func ScriptName(path string, foldCase bool) string {
	name := []byte(path) // not a string: a path need not be UTF-8
	for i, c := range name {
		if foldCase && 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
	sum := md5.Sum(name)
	return "_mod_wsgi_" + hex.EncodeToString(sum[:])
}

// ReadScript reads a script and says when what was read was last modified, in microseconds since the epoch. The error says, for
// the log, why it can't be read and by whom.
func ReadScript(path string) (source []byte, mtime int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, readError(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, readError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file")
	}
	source, err = io.ReadAll(file)
	if err != nil {
		return nil, 0, readError(path, err)
	}
	return source, info.ModTime().UnixMicro(), nil
}

func readError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the file does not exist")
	case errors.Is(err, fs.ErrPermission):
		if found := reach(path, mayRead); found != nil {
			return errors.New(found.text)
		}
		return fmt.Errorf("user %s may not read it or pass through a folder above it", whoami())
	}
	return err
}
