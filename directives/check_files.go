package directives

import (
	"os"
	"path/filepath"
)

// checkFiles warns of what the configuration takes for granted about the file system. Scripts are not among it: they may
// be deployed after Apache has started.
func (c *checker) checkFiles() {
	p := &c.config.Process
	if home := p.PythonHome; home != "" {
		switch info, err := os.Stat(home); {
		case err != nil:
			c.report(c.places.pythonHome, Warning, 100, "%q cannot be read: %v", home, err)
		case !info.IsDir():
			c.report(c.places.pythonHome, Warning, 101, "%q is no directory", home)
		}
	}
	if p.SocketPrefix == "" || len(p.Groups) == 0 {
		return
	}
	prefix := p.SocketPrefix
	if !filepath.IsAbs(prefix) {
		prefix = filepath.Join(c.config.Facts["server_root"], prefix)
	}
	if info, err := os.Stat(filepath.Dir(prefix)); filepath.IsAbs(prefix) && (err != nil || !info.IsDir()) {
		c.report(c.places.socketPrefix, Warning, 0, "the directory %q does not exist", filepath.Dir(prefix))
	}
	if len(prefix) > longestSocketPrefix {
		c.report(c.places.socketPrefix, Warning, 64, "%q is too long for the name of a socket; accepted are %d bytes", prefix, longestSocketPrefix)
	}
}

// longestSocketPrefix leaves room in Linux' 108 bytes for ".<pid>.<generation>.<group>.<serial>.sock" and the final NUL.
const longestSocketPrefix = 107 - len(".4194304.99999.9999.999999.sock")
