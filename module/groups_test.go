package module

import (
	"testing"

	"modwsgi/directives"
)

func TestServersOfTheSameNameShareTheirGroups(t *testing.T) {
	var servers []directives.ServerConfig
	for _, name := range []string{"main.test", "one.test", "", "one.test", "", "One.test", "main.test"} {
		servers = append(servers, directives.ServerConfig{Server: directives.Server{Name: name}})
	}
	numbers := numberServerNames(servers)
	same := map[[2]int]bool{{1, 3}: true, {0, 6}: true} // case counts, and servers without a name have nothing in common
	for i := range numbers {
		for j := i + 1; j < len(numbers); j++ {
			if got, want := numbers[i] == numbers[j], same[[2]int{i, j}]; got != want {
				t.Errorf("servers %d %q and %d %q: same %v, want %v", i, servers[i].Name, j, servers[j].Name, got, want)
			}
		}
	}
}
