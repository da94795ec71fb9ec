package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"modwsgi/directives"
	"modwsgi/module/apachetest"
)

// Every block of code on the pages is run or checked. What is done follows from its language, or from a comment before it, which readers of the
// page do not see:
//
//	<!-- check: conf NAME modules=a,b -->  configuration of the example NAME; several blocks add up
//	<!-- check: file NAME PATH -->         a file of the example; PATH begins with /srv/
//	<!-- check: run NAME until=shown -->   its commands are run beside the example's server, and print what stands below them; with until=shown
//	                                       they are run again until they do
//	<!-- check: log NAME -->               the lines are in the example's error log by then
//	<!-- check: words FILE -->             a picture: the words in capitals occur in FILE
//	<!-- check: by TestName -->            that test checks it
//
// Without one: `apache` must pass configtest, `python` compile; of `sh` the programs, targets and folders must exist; `syntax` is a
// directive's of the table. Three dots (…) stand for any text in what is compared.
func TestEveryBlockOfThePagesIsChecked(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, p := range readPages(t) {
		examples := map[string]*example{}
		for _, b := range p.blocks() {
			checked++
			at := fmt.Sprintf("%s:%d", p.name, b.line)
			if err := checkBlock(t, p, b, examples); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			t.Run(strings.TrimSuffix(filepath.Base(p.name), ".md")+" "+name, func(t *testing.T) {
				t.Parallel()
				examples[name].run(t)
			})
		}
	}
	if checked < 100 {
		t.Errorf("only %d blocks were found", checked)
	}
}

func checkBlock(t *testing.T, p document, b block, examples map[string]*example) error {
	switch b.action() {
	case "conf", "file", "run", "log":
		name := b.argument(1)
		if examples[name] == nil {
			examples[name] = &example{page: p.name, files: map[string]string{}}
		}
		return examples[name].add(b)
	case "words":
		return checkWords(b)
	case "by":
		return checkTestExists(b.argument(1))
	case "":
	default:
		return fmt.Errorf("there is no check %q", b.action())
	}
	switch b.language {
	case "apache":
		return checkConfiguration(t, b)
	case "python":
		return compilePython(b)
	case "sh":
		return checkCommands(b)
	case "syntax":
		return checkSyntax(b)
	}
	return fmt.Errorf("nobody checks this block (language %q)", b.language)
}

// checkConfiguration has Apache look at a configuration, which must have neither mistakes nor what the module warns about.
func checkConfiguration(t *testing.T, b block) error {
	status, output := apachetest.Configtest(t, exampleConfig(b.text, strings.Split(b.option("modules"), ",")))
	if status != 0 || strings.TrimSpace(output) != "Syntax OK" {
		return fmt.Errorf("configtest ends with %d:\n%s", status, output)
	}
	return nil
}

func compilePython(b block) error {
	command := exec.Command(pythonProgram, "-c", `import sys; compile(sys.stdin.read(), "example", "exec", dont_inherit=True)`)
	command.Stdin = strings.NewReader(b.text)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%v\n%s", err, output)
	}
	return nil
}

// checkSyntax compares with the directive table.
func checkSyntax(b block) error {
	line := strings.TrimSpace(b.text)
	name, syntax, _ := strings.Cut(line, " ")
	i := directives.Find(name)
	if i < 0 || directives.Table[i].Syntax != syntax {
		return fmt.Errorf("the table has no directive like this: %s", line)
	}
	return nil
}

// checkWords looks for the words in capitals in a file.
func checkWords(b block) error {
	text, err := os.ReadFile(filepath.Join(apachetest.RepositoryRoot(), b.argument(1)))
	if err != nil {
		return err
	}
	words := regexp.MustCompile(`\b[A-Z]{4,}\b`).FindAllString(b.text, -1)
	if len(words) == 0 {
		return fmt.Errorf("no word to check")
	}
	for _, word := range words {
		if !strings.Contains(string(text), word) {
			return fmt.Errorf("%s does not know %s", b.argument(1), word)
		}
	}
	return nil
}

func checkTestExists(name string) error {
	declaration := []byte("\nfunc " + name + "(t *testing.T) {")
	for _, folder := range []string{"daemon", "directives", "interp", "module"} {
		err := filepath.WalkDir(filepath.Join(apachetest.RepositoryRoot(), folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if bytes.Contains(source, declaration) {
				return errFound
			}
			return err
		})
		if err != nil {
			if errors.Is(err, errFound) {
				return nil
			}
			return err
		}
	}
	return fmt.Errorf("there is no test %q", name)
}

var errFound = errors.New("found")

// ---- Commands ----

// checkCommands looks whether there is what the commands name. Comments say what they do.
func checkCommands(b block) error {
	for line := range strings.Lines(b.text) {
		line, _, _ = strings.Cut(line, " # ")
		for command := range strings.SplitSeq(strings.TrimSpace(line), " && ") {
			if words := strings.Fields(command); len(words) > 0 {
				if err := checkCommand(words); err != nil {
					return fmt.Errorf("%s: %w", command, err)
				}
			}
		}
	}
	return nil
}

func checkCommand(words []string) error {
	if words[0] == "sudo" {
		words = words[1:]
	}
	switch words[0] {
	case "make":
		return checkMake(words[1:])
	case ".":
		if words[1] != "build/env" {
			return fmt.Errorf("unknown file %s", words[1])
		}
		return nil
	}
	if _, err := lookPath(words[0]); err != nil {
		return err
	}
	for _, word := range words[1:] {
		if strings.HasPrefix(word, "./") {
			if _, err := os.Stat(filepath.Join(apachetest.RepositoryRoot(), word)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookPath finds a program that root or an ordinary user can start.
func lookPath(name string) (string, error) {
	for _, folder := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

// checkMake looks for targets and variables in the Makefile.
func checkMake(words []string) error {
	makefile, err := os.ReadFile(filepath.Join(apachetest.RepositoryRoot(), "Makefile"))
	if err != nil {
		return err
	}
	for _, word := range words {
		pattern := `(?m)^` + regexp.QuoteMeta(word) + `:`
		if name, _, isVariable := strings.Cut(word, "="); isVariable {
			pattern = `\b` + regexp.QuoteMeta(name) + `(=| *\?=)`
		}
		if !regexp.MustCompile(pattern).Match(makefile) {
			return fmt.Errorf("the Makefile has no %s", word)
		}
	}
	return nil
}
