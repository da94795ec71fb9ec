package interp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// examineVenv looks at a virtual environment whose pyvenv.cfg can be read. Whatever is wrong with one, Python starts: without its
// packages, or without a program for sys.executable. All of that becomes one warning.
func (s surroundings) examineVenv(f *finding, settings string) {
	code, problems := 99, []string(nil)
	note := func(c int, format string, arguments ...any) {
		if len(problems) == 0 {
			code = c
		}
		problems = append(problems, fmt.Sprintf(format, arguments...))
	}
	keys, err := readVenvSettings(settings)
	switch {
	case err != nil:
		note(102, "pyvenv.cfg can't be read: %v", err)
	case keys["home"] == "":
		note(99, "its pyvenv.cfg has no line 'home =', so that Python does not take it for a virtual environment")
	}
	s.examineVenvPackages(keys, note)
	if base := keys["home"]; base != "" {
		if found := reach(base, maySearch); found != nil {
			note(codeOf(found), "the Python that it was made from is gone or out of reach: %s", found.text)
		}
	}
	if found := reach(f.program, 0); found != nil {
		note(codeOf(found), "sys.executable will not run: %s", found.text)
	}
	if len(problems) > 0 {
		f.odd(code, s.setting+" "+s.home, strings.Join(problems, "; ")+
			fmt.Sprintf("; make the virtual environment anew (python%s -m venv --clear %s) and install its packages again", s.needed, s.home))
	}
}

// examineVenvPackages asks whether Python will find the packages that were installed into the virtual environment.
func (s surroundings) examineVenvPackages(keys map[string]string, note func(int, string, ...any)) {
	packages := filepath.Join(s.home, "lib", "python"+s.needed.String(), "site-packages")
	missing := reach(packages, mayRead|maySearch)
	madeBy := venvVersion(keys)
	foreign := madeBy != "" && !sameVersion(madeBy, s.needed)
	switch {
	case missing == nil && foreign:
		note(99, "its pyvenv.cfg says that Python %s made it, and the module was built for Python %s: sys.executable is another Python than the one that runs", madeBy, s.needed)
	case missing == nil:
	case errors.Is(missing.err, fs.ErrPermission):
		note(102, "its packages can't be imported: %s", missing.text)
	case foreign:
		note(99, "it was made by Python %s and the module was built for Python %s, which does not see its packages (there is no %s, as user %s sees it)",
			madeBy, s.needed, packages, whoami())
	default:
		note(99, "it has no packages for Python %s, which the module was built for: there is no %s, as user %s sees it%s",
			s.needed, packages, whoami(), otherVersions(s.home))
	}
}

func otherVersions(home string) string {
	if versions := versionsBelow(home); len(versions) > 0 {
		return ", only of Python " + list(versions)
	}
	return ""
}

func codeOf(o *obstacle) int {
	if errors.Is(o.err, fs.ErrPermission) {
		return 102
	}
	return 100
}

// readVenvSettings reads "key = value" lines as site.py does: keys in lower case.
func readVenvSettings(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	keys := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, "="); ok {
			keys[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return keys, err
}

// venvVersion is the version that made a virtual environment: venv writes version, virtualenv and uv version_info.
func venvVersion(keys map[string]string) string {
	version := keys["version"]
	if version == "" {
		version = keys["version_info"]
	}
	version, _, _ = strings.Cut(version, ".final")
	return version
}

func sameVersion(text string, v pythonVersion) bool {
	return text == v.String() || strings.HasPrefix(text, v.String()+".")
}
