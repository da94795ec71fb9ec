package directives

import (
	"os"
	"testing"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	for path, want := range map[string]string{
		"../module/directives_table.inc": GenerateCTable(),
		"../docs/directives.md":          GeneratePage(),
	} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		} else if string(got) != want {
			t.Errorf("%s is stale: run \"go generate ./directives\"", path)
		}
	}
}
