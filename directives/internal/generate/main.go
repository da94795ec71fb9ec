// Generate writes the files that are made from the directive table. It runs in the package's directory.
package main

import (
	"log"
	"os"

	"modwsgi/directives"
)

func main() {
	log.SetFlags(0)
	for path, text := range map[string]string{
		"../module/directives_table.inc": directives.GenerateCTable(),
		"../docs/directives.md":          directives.GeneratePage(),
	} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			log.Fatal(err)
		}
	}
}
