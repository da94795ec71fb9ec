package interp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// pythonVersion is the part of a version that folders are named after.
type pythonVersion struct{ major, minor int }

func (v pythonVersion) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// surroundings are what decides where Python finds itself, besides the file system.
type surroundings struct {
	setting    string // what names the home: "WSGIPythonHome"
	home       string // its value, "" if not set
	executable string // the Python that the module was built for
	needed     pythonVersion
	getenv     func(string) string
}

// finding is what a look at the surroundings gave, before Python is started.
type finding struct {
	program, prefix string // what CPython is told as its program name and home, "" for nothing
	fatal           *Fault // Python can't start
	oddities        []*Fault
}

func (f *finding) odd(code int, path, reason string) {
	f.oddities = append(f.oddities, &Fault{Code: code, Op: "fully use", Path: path, Reason: reason})
}

// examine looks at where Python would start from, as this process may see it: CPython itself ends the process or says no more than
// "No module named 'encodings'" where it is wrong.
//
// A virtual environment is found through its program (PEP 405: pyvenv.cfg above it), so the home stays unset for one; any
// other folder is a home. PYTHONHOME of the environment comes before a virtual environment, and after a home.
func examine(s surroundings) *finding {
	f := &finding{program: s.executable}
	inherited := s.getenv("PYTHONHOME")
	if s.home != "" {
		f.fatal = s.examineHome(f)
	}
	if f.fatal == nil && f.prefix == "" && inherited != "" {
		if s.home != "" {
			f.odd(99, s.setting+" "+s.home, "the variable PYTHONHOME="+inherited+" in Apache's environment comes before a virtual environment; take it out of there")
		}
		s.setting, s.home = "the environment's PYTHONHOME", inherited
		f.fatal = s.examinePrefixes(f, inherited)
	}
	if f.fatal == nil {
		f.fatal = s.examinePath()
	}
	return f
}

// examineHome looks at the folder that the configuration names.
func (s surroundings) examineHome(f *finding) *Fault {
	if _, err := os.Stat(s.home); err != nil && strings.Contains(s.home, ":") {
		f.prefix = s.home
		return s.examinePrefixes(f, s.home)
	}
	if fault := s.examineFolder(s.home); fault != nil {
		return fault
	}
	settings := filepath.Join(s.home, "pyvenv.cfg")
	switch found := reach(settings, mayRead); {
	case found == nil:
		f.program = filepath.Join(s.home, "bin", "python")
		s.examineVenv(f, settings)
		return nil
	case errors.Is(found.err, fs.ErrPermission):
		return s.unusable(102, "it is a virtual environment, but "+found.text)
	}
	f.prefix = s.home
	return s.examinePrefix(s.home)
}

// unusable is the failure that the home can't be used.
func (s surroundings) unusable(code int, reason string) *Fault {
	return &Fault{Code: code, Op: "start Python from", Path: s.setting + " " + s.home, Reason: reason}
}

// wanted says what the home should have been.
func (s surroundings) wanted() string {
	return fmt.Sprintf("needed is the folder of a virtual environment made by Python %s, or sys.prefix of an installation of it", s.needed)
}

// examineFolder asks whether a folder is there, is one, and can be searched.
func (s surroundings) examineFolder(path string) *Fault {
	found := reach(path, maySearch)
	switch {
	case found == nil && isFolder(path):
		return nil
	case found == nil:
		return s.unusable(101, path+" is not a folder but a file; "+s.wanted()+s.suggestion())
	case errors.Is(found.err, fs.ErrPermission):
		if !isFolder(path) && reach(path, 0) == nil {
			return s.unusable(101, path+" is not a folder but a file; "+s.wanted()+s.suggestion())
		}
		return s.unusable(102, found.text)
	case errors.Is(found.err, syscall.ENOTDIR):
		return s.unusable(101, found.text+"; "+s.wanted())
	}
	return s.unusable(100, fmt.Sprintf("%s, as user %s sees it; %s", found.text, whoami(), s.wanted()))
}

// suggestion guesses what was meant where a file or folder of an installation, or around one, was named.
func (s surroundings) suggestion() string {
	for dir := filepath.Dir(s.home); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if isFile(filepath.Join(dir, "pyvenv.cfg")) || s.hasLibrary(dir) {
			return "; perhaps " + dir + " was meant"
		}
	}
	inside, _ := filepath.Glob(filepath.Join(s.home, "*", "pyvenv.cfg"))
	if len(inside) > 0 {
		return "; perhaps " + filepath.Dir(inside[0]) + " was meant"
	}
	return ""
}

// ---- An installation ----

// examinePrefixes looks at the form "prefix:exec_prefix" that a home may have.
func (s surroundings) examinePrefixes(f *finding, home string) *Fault {
	prefix, platform, two := strings.Cut(home, ":")
	if fault := s.examineFolder(prefix); fault != nil {
		return fault
	}
	if fault := s.examinePrefix(prefix); fault != nil {
		return fault
	}
	if two && !slices.ContainsFunc(s.libraries(platform), func(dir string) bool { return isFolder(filepath.Join(dir, "lib-dynload")) }) {
		f.odd(100, s.setting+" "+home, fmt.Sprintf("there is no lib/python%s/lib-dynload in %s, as user %s sees it: modules of the standard library that are written in C will be missing",
			s.needed, platform, whoami()))
	}
	return nil
}

// libraries are where the standard library of the version may be below a prefix.
func (s surroundings) libraries(prefix string) []string {
	names := []string{"lib", "lib64"}
	if name := s.getenv("PYTHONPLATLIBDIR"); name != "" {
		names = []string{name}
	}
	for i, name := range names {
		names[i] = filepath.Join(prefix, name, "python"+s.needed.String())
	}
	return names
}

func (s surroundings) hasLibrary(prefix string) bool {
	return slices.ContainsFunc(s.libraries(prefix), func(dir string) bool { return isFile(filepath.Join(dir, "os.py")) })
}

// examinePrefix asks whether the standard library of the version that the module was built for is below a folder: Python can't do
// its first step without the package encodings.
func (s surroundings) examinePrefix(prefix string) *Fault {
	zipped := fmt.Sprintf("python%d%d.zip", s.needed.major, s.needed.minor)
	for _, dir := range s.libraries(prefix) {
		if isFile(filepath.Join(filepath.Dir(dir), zipped)) {
			return nil
		}
		found := reach(dir, mayRead|maySearch)
		if found != nil && errors.Is(found.err, fs.ErrPermission) {
			return s.unusable(102, found.text)
		}
		if found == nil {
			return s.examineLibrary(dir)
		}
	}
	return s.unusable(99, s.found(prefix)+"; "+s.wanted()+s.suggestion())
}

// examineLibrary asks for two modules without which Python does not start, as source or compiled.
func (s surroundings) examineLibrary(dir string) *Fault {
	for _, module := range []string{"os", "encodings/__init__"} {
		path := filepath.Join(dir, module+".py")
		found := reach(path, mayRead)
		if found == nil || reach(path+"c", mayRead) == nil {
			continue
		}
		if errors.Is(found.err, fs.ErrPermission) {
			return s.unusable(102, found.text)
		}
		return s.unusable(99, fmt.Sprintf("its standard library is incomplete: %s; %s", found.text, s.wanted()))
	}
	return nil
}

var libraryName = regexp.MustCompile(`^(?:python|pypy)(\d+\.\d+t?)$`)

// versionsBelow are the versions of Python that have a folder in lib or lib64.
func versionsBelow(prefix string) []string {
	var versions []string
	for _, pattern := range []string{"lib/*", "lib64/*"} {
		paths, _ := filepath.Glob(filepath.Join(prefix, pattern))
		for _, path := range paths {
			if m := libraryName.FindStringSubmatch(filepath.Base(path)); m != nil && !slices.Contains(versions, m[1]) {
				versions = append(versions, m[1])
			}
		}
	}
	return versions
}

// found says which Python is in a folder where it is not the one needed.
func (s surroundings) found(prefix string) string {
	if versions := versionsBelow(prefix); len(versions) > 0 {
		return fmt.Sprintf("it holds Python %s, and the module was built for Python %s (there is no %s)",
			list(versions), s.needed, filepath.Join(prefix, "lib", "python"+s.needed.String()))
	}
	entries, err := os.ReadDir(prefix)
	if err == nil && len(entries) == 0 {
		return "the folder is empty"
	}
	return fmt.Sprintf("no Python is in it: there is neither pyvenv.cfg nor lib/python%s", s.needed)
}

// ---- The environment ----

// examinePath asks whether PYTHONPATH puts the standard library of another version in front.
func (s surroundings) examinePath() *Fault {
	for _, dir := range filepath.SplitList(s.getenv("PYTHONPATH")) {
		version := libraryName.FindStringSubmatch(filepath.Base(dir))
		if version != nil && version[1] != s.needed.String() && isFolder(filepath.Join(dir, "encodings")) {
			return &Fault{Code: 99, Op: "start Python with", Path: "the environment's PYTHONPATH=" + s.getenv("PYTHONPATH"),
				Reason: fmt.Sprintf("%s is the standard library of Python %s, and the module was built for Python %s; take it out of Apache's environment (for directories of the application there is WSGIPythonPath)", dir, version[1], s.needed)}
		}
	}
	return nil
}

// influences are the variables of the environment that can keep Python from starting, as NAME=value.
func influences(environment []string) []string {
	var found []string
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if value != "" && (strings.HasPrefix(name, "PYTHON") || name == "LANG" || name == "LC_ALL" || name == "LC_CTYPE") {
			found = append(found, variable)
		}
	}
	slices.Sort(found)
	return found
}

// startFailure combines what CPython says when it does not start with what is known of its surroundings.
func startFailure(said string, s surroundings, f *finding, environment []string) *Fault {
	reason := "CPython says: " + said
	if s.home != "" {
		reason += fmt.Sprintf("; its home is %s %s", s.setting, s.home)
	} else if s.executable != "" {
		reason += "; its home is that of " + s.executable
	}
	for _, odd := range f.oddities {
		reason += ", but: " + odd.Reason
	}
	if variables := influences(environment); len(variables) > 0 {
		reason += "; Apache's environment contains " + list(variables) + ", any of which may be the cause"
	}
	return &Fault{Code: 36, Op: "start Python " + s.needed.String() + " as user " + whoami(), Reason: reason}
}
