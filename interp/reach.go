package interp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
)

// obstacle is what keeps this process from a file or folder: whether it is missing, forbidden or no folder, and a sentence
// that says where on the way that was met.
type obstacle struct {
	err  error // fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR or another
	text string
}

// Access modes of access(2).
const (
	mayRead   = 4
	maySearch = 1
)

const mostLinks = 40 // as the kernel

// reach follows path as this process may, and then asks for access to what is there; nil if all is well.
func reach(path string, access uint32) *obstacle { return reachVia(path, access, mostLinks) }

func reachVia(path string, access uint32, links int) *obstacle {
	path = filepath.Clean(path)
	for _, part := range ancestry(path) {
		_, err := os.Stat(part)
		if err == nil {
			continue
		}
		about, unseen := os.Lstat(part)
		switch {
		case unseen == nil && about.Mode()&fs.ModeSymlink != 0 && links > 0:
			return behindLink(part, err, access, links)
		case errors.Is(err, fs.ErrPermission):
			return &obstacle{fs.ErrPermission, "folder " + barred(filepath.Dir(part), "be searched")}
		case errors.Is(err, fs.ErrNotExist):
			return &obstacle{fs.ErrNotExist, fmt.Sprintf("there is no %s (%s exists)", part, filepath.Dir(part))}
		case errors.Is(err, syscall.ENOTDIR):
			return &obstacle{syscall.ENOTDIR, filepath.Dir(part) + " is not a folder"}
		}
		return &obstacle{err, err.Error()}
	}
	if access != 0 && syscall.Access(path, access) != nil {
		what := "be read"
		if access&maySearch != 0 {
			what = "be searched"
		}
		return &obstacle{fs.ErrPermission, barred(path, what)}
	}
	return nil
}

// behindLink explains what is wrong with where a symbolic link leads.
func behindLink(link string, err error, access uint32, links int) *obstacle {
	target, unread := os.Readlink(link)
	if unread != nil {
		return &obstacle{err, err.Error()}
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	if found := reachVia(target, access, links-1); found != nil {
		found.text = fmt.Sprintf("the link %s leads to %s, and %s", link, target, found.text)
		return found
	}
	return &obstacle{err, err.Error()}
}

// ancestry is every folder on the way to an absolute path, and itself: "/", "/srv", "/srv/venv".
func ancestry(path string) []string {
	parts := []string{path}
	for dir := filepath.Dir(path); dir != parts[0]; dir = filepath.Dir(dir) {
		parts = append([]string{dir}, parts...)
	}
	return parts
}

// barred says who may not do what with a file, whose it is, and what would help.
func barred(path, what string) string {
	text := fmt.Sprintf("%s may not %s by user %s", path, what, whoami())
	info, err := os.Stat(path)
	if err != nil {
		return text
	}
	mode := info.Mode().Perm()
	text += fmt.Sprintf(" (owner %s, mode %04o)", ownerOf(info), mode)
	bit, letter := fs.FileMode(4), "r"
	if what == "be searched" {
		bit, letter = 1, "x"
	}
	if mode&bit != 0 && mode&(bit<<3) != 0 {
		return text + "; its mode would allow that, so look at access control lists and the system's security module (SELinux, AppArmor)"
	}
	return text + fmt.Sprintf("; 'chmod o+%s %s' would allow it", letter, path)
}

func ownerOf(info fs.FileInfo) string {
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		return userName(int(system.Uid))
	}
	return "unknown"
}

// whoami is the user that this process runs as.
func whoami() string { return userName(os.Geteuid()) }

func userName(uid int) string {
	if u, err := user.LookupId(fmt.Sprint(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", uid)
}

// isFolder is for paths that can be reached.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func list(words []string) string { return strings.Join(words, ", ") }
