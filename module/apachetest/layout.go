package apachetest

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// basics are the settings that every server gets before its own. Access is denied as Debian does it, and opened for
// Root only. Timeouts are short because tests wait for them.
const basics = `ServerRoot "{{.Root}}"
PidFile "{{.Root}}/run/httpd.pid"
DefaultRuntimeDir "{{.Root}}/run"
ServerName localhost
Listen 127.0.0.1:{{.Port}}
ErrorLog "{{.Root}}/logs/error.log"
LogLevel {{.LogLevel}}
Timeout 20
KeepAliveTimeout 2
{{range .LoadModules}}LoadModule {{.}}_module {{$.ModulesDir}}/mod_{{.}}.so
{{end}}{{if .Mime}}TypesConfig /etc/mime.types
{{end}}{{if .Module}}LoadModule wsgi_module "{{.Module}}"
{{end}}{{if .User}}User {{.User}}
Group {{.User}}
{{end}}{{.Tuning}}
DocumentRoot "{{.Htdocs}}"
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory "{{.Root}}">
    Require all granted
</Directory>
` + ownPart

// ownPart separates the basic settings from the test's own, which alone are shown when it fails.
const ownPart = "# --- the test's own ---\n"

// daemonPart makes daemon mode of Config.Daemon.
func daemonPart(options string) string {
	if options == "" {
		return ""
	}
	return "WSGIDaemonProcess " + ProcessGroup + " " + options + "\nWSGIProcessGroup " + ProcessGroup + "\n"
}

// fields is what the templates see.
type fields struct {
	Root, Apps, Htdocs, Var, LogLevel, User, Tuning, Module, ModulesDir string

	Port          int
	MPM           MPM
	Classic, Mime bool
	LoadModules   []string
	Data          any
}

// fixedTime is when all files were changed, on both servers of a pair: ETag and Last-Modified can be compared.
var fixedTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// write lays the server's folder out and renders its configuration, with ports that are free at this moment.
func (s *Server) write() error {
	c := s.config
	port, err := s.PortOf("")
	if err != nil {
		return err
	}
	s.Port = port
	modulePath, err := s.reachableModule()
	if err != nil {
		return err
	}
	data := fields{
		Root: s.Root, Apps: s.Root + "/apps", Htdocs: s.Root + "/htdocs", Var: s.Root + "/var",
		LogLevel: c.LogLevel, Tuning: c.Tuning, Module: modulePath, ModulesDir: modulesDir,
		Port: port, MPM: c.MPM, Classic: c.Module.Name == "classic", Data: c.Data,
		LoadModules: append([]string{"mpm_" + string(c.MPM), "authz_core", "alias"}, c.Modules...),
	}
	for _, name := range c.Modules {
		data.Mime = data.Mime || name == "mime"
	}
	if os.Getuid() == 0 && !c.OrdinaryUser {
		data.User = childUser
	}
	files := map[string]string{}
	for name, text := range c.Files {
		files[name] = text
	}
	for name, text := range c.Templates {
		if files[name], err = s.render(name, text, data); err != nil {
			return err
		}
	}
	conf, err := s.render("httpd.conf", basics+daemonPart(c.Daemon)+c.Conf+"\n", data)
	if err != nil {
		return err
	}
	files["httpd.conf"] = conf
	_, s.confText, _ = strings.Cut(conf, ownPart)
	for name, text := range files {
		if err := s.WriteFile(name, text); err != nil {
			return err
		}
	}
	for name := range files {
		for ; name != "."; name = filepath.Dir(name) {
			if err := os.Chtimes(filepath.Join(s.Root, name), fixedTime, fixedTime); err != nil {
				return err
			}
		}
	}
	return s.openToOrdinaryUser()
}

func (s *Server) render(name, text string, data fields) (string, error) {
	parsed, err := template.New(name).Funcs(template.FuncMap{"port": s.PortOf}).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = parsed.Execute(&out, data)
	return out.String(), err
}

// PortOf returns the port that the configuration calls {{port "name"}}, choosing a free one at the first call.
func (s *Server) PortOf(name string) (int, error) {
	if port, ok := s.ports[name]; ok {
		return port, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	s.ports[name] = listener.Addr().(*net.TCPAddr).Port
	return s.ports[name], nil
}

// WriteFile writes a file below Root, making folders as needed.
func (s *Server) WriteFile(name, text string) error {
	path := filepath.Join(s.Root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if strings.HasSuffix(name, ".cgi") {
		mode = 0o755
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode) // the umask must not hide it from www-data
}

// layOut makes the folders and copies testdata/apps.
func (s *Server) layOut() error {
	for _, name := range []string{"", "logs", "run", "htdocs", "var", "apps"} {
		path := filepath.Join(s.Root, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		mode := fs.FileMode(0o755)
		if name == "var" {
			mode = 0o777
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
	}
	source := filepath.Join(RepositoryRoot(), "testdata", "apps")
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		return s.WriteFile(filepath.Join("apps", relative), string(text))
	})
}

// reachableModule is the path to load the module from: for an ordinary user a copy, with the daemon binary beside it,
// because the repository may lie in a folder which only its owner can enter.
func (s *Server) reachableModule() (string, error) {
	path := s.config.Module.Path
	if path == "" || !s.config.OrdinaryUser {
		return path, nil
	}
	for _, name := range []string{filepath.Base(path), "mod_wsgi-daemon"} {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			if name == "mod_wsgi-daemon" { // the classic module has none
				continue
			}
			return "", fmt.Errorf("copying the module: %w", err)
		}
		target := filepath.Join(s.Root, "module", name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(target, content, 0o755); err != nil {
			return "", err
		}
	}
	return filepath.Join(s.Root, "module", filepath.Base(path)), nil
}

// ReadFile returns a file below Root.
func (s *Server) ReadFile(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.Root, name))
	return string(text), err
}
