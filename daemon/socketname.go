package daemon

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"modwsgi/directives"
)

// SocketBase is the path that the sockets of a group's processes have in common: the client in Apache's children and the supervisor make
// it from the same recording. group is the index in ProcessSettings.Groups.
func SocketBase(c *directives.Config, group int) string {
	return socketBase(c, group, c.Facts["generation"])
}

// FormerSocketBase is that of the same configuration before a restart, which had another number.
func FormerSocketBase(c *directives.Config, group, generation int) string {
	return socketBase(c, group, strconv.Itoa(generation))
}

func socketBase(c *directives.Config, group int, generation string) string {
	return fmt.Sprintf("%s.%s.%s.%d", socketPrefix(c), c.Facts["parent_pid"], generation, group+1)
}

// ControlPath is the socket on which the supervisor answers administrators.
func ControlPath(c *directives.Config) string {
	return fmt.Sprintf("%s.%s.%s.control", socketPrefix(c), c.Facts["parent_pid"], c.Facts["generation"])
}

// SocketPath is the socket of one process. client.c makes the same of the base.
func SocketPath(base string, serial uint32) string { return fmt.Sprintf("%s.%d.sock", base, serial) }

// socketPrefix resolves WSGISocketPrefix as text: "run/" is a folder, "run/wsgi" the beginning of a name.
func socketPrefix(c *directives.Config) string {
	prefix := c.Process.SocketPrefix
	switch {
	case prefix == "":
		return filepath.Join(c.Facts["runtime_dir"], "wsgi")
	case filepath.IsAbs(prefix):
		return prefix
	case strings.HasSuffix(prefix, "/"):
		return filepath.Join(c.Facts["server_root"], prefix) + "/"
	}
	return filepath.Join(c.Facts["server_root"], prefix)
}
