package interp

import (
	"os"
	"path/filepath"
)

// programAndHome says what CPython is told as its program name and home. A virtual environment is found through its program
// (PEP 405: pyvenv.cfg beside or above it), so home stays unset; any other prefix is a home. built is the Python built for.
func programAndHome(home, built string) (program, prefix string) {
	if home == "" {
		return built, ""
	}
	if file, err := os.Open(filepath.Join(home, "pyvenv.cfg")); err == nil {
		file.Close()
		return filepath.Join(home, "bin", "python"), ""
	}
	return built, home
}
