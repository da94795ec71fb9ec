package supervisor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ReadRecording reads what Apache's parent sends first: 4 bytes length, little-endian, then the recording of its configuration.
func ReadRecording(control io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(control, length[:]); err != nil {
		return nil, fmt.Errorf("read the configuration's length: %w", err)
	}
	var recording bytes.Buffer // grows with what comes: the length is not believed
	if _, err := io.CopyN(&recording, control, int64(binary.LittleEndian.Uint32(length[:]))); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return recording.Bytes(), nil
}

// shareRecording puts a recording where every process can read it and none can change it.
func shareRecording(recording []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("mod_wsgi recording", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("create memory for the configuration: %w", err)
	}
	file := os.NewFile(uintptr(fd), "recording")
	if _, err := file.Write(recording); err != nil {
		file.Close()
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		file.Close()
		return nil, fmt.Errorf("protect the configuration: %w", err)
	}
	return file, nil
}
