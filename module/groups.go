package module

/*
#include "edge.h"
*/
import "C"

import (
	"cmp"
	"slices"
	"time"
	"unsafe"

	"modwsgi/daemon"
	"modwsgi/directives"

	_ "modwsgi/daemon/client" // its C is linked in
)

const (
	defaultHeaderBuffer   = 32768
	defaultResponseBuffer = 8 << 20
)

// numberServerNames gives every server a number, the same to those with the same ServerName. One without a name is alone.
func numberServerNames(servers []directives.ServerConfig) []C.uint32_t {
	numbers := make([]C.uint32_t, len(servers))
	first := map[string]C.uint32_t{}
	for i := range servers {
		numbers[i] = C.uint32_t(i)
		if name := servers[i].Name; name != "" {
			if number, seen := first[name]; seen {
				numbers[i] = number
			} else {
				first[name] = numbers[i]
			}
		}
	}
	return numbers
}

// compileGroups makes what requests need of the daemon process groups, sorted by name.
func compileGroups(config *directives.Config, serverNames []C.uint32_t, facts *C.mw_facts) (*C.mw_process_group, C.size_t) {
	groups := config.Process.Groups
	compiled := allocateSlice[C.mw_process_group](len(groups))
	slots := daemon.Slots(groups)
	children, self := entered(facts.board)
	formerChildren, formerSelf := entered(facts.former_board)
	for i, g := range groups {
		compileGroup(&compiled[i], config, i)
		c := &compiled[i]
		c.way.slots, c.way.children, c.way.self = C.uint32_t(slots[i]), children, self
		c.way.pool = C.mwd_pool_new(c.way.slots)
		if facts.former_board != nil && g.Processes > 0 { // an elastic group may start without a process: its first request makes one
			c.former = allocate[C.mwd_group](1)
			*c.former = c.way
			c.former.socket = C.CString(daemon.FormerSocketBase(config, i, int(facts.former_generation)))
			c.former.children, c.former.self, c.former.bell = formerChildren, formerSelf, 0
			c.former.part = partOf(facts.former_board, slots, i)
			c.former.pool = C.mwd_pool_new(c.way.slots)
		}
		if facts.board != nil {
			c.way.part = partOf(facts.board, slots, i)
		}
		c.server_name, c.everywhere = serverNames[g.Server], truth(!config.Servers[g.Server].Virtual)
	}
	slices.SortFunc(compiled, func(a, b C.mw_process_group) int {
		return cmp.Compare(C.GoString(a.way.name), C.GoString(b.way.name))
	})
	return unsafe.SliceData(compiled), C.size_t(len(compiled))
}

// entered makes this child one of those of a board.
func entered(board *C.mwd_board) (*C.mwd_children, *C.struct_mwd_self) {
	if board == nil {
		return nil, nil
	}
	children := (*C.mwd_children)(unsafe.Add(unsafe.Pointer(board), daemon.ChildrenOffset()))
	return children, C.mwd_self_new(children)
}

func partOf(board *C.mwd_board, slots []int, group int) *C.mwd_part {
	return (*C.mwd_part)(unsafe.Add(unsafe.Pointer(board), daemon.PartOffset(slots, group)))
}

func compileGroup(c *C.mw_process_group, config *directives.Config, number int) {
	g, accounts := config.Process.Groups[number], config.GroupAccounts(number)
	way := &c.way
	way.name, way.socket = C.CString(g.Name), C.CString(daemon.SocketBase(config, number))
	way.processes = C.uint(g.MostProcesses())
	way.bell, way.number = C.mw_bell(), C.uint32_t(number)
	way.backlog = C.uint32_t(g.ListenBacklog)
	way.uid = C.uint32_t(accounts.User)
	way.connect_timeout, way.socket_timeout = milliseconds(g.ConnectTimeout), milliseconds(g.SocketTimeout)
	way.queue_timeout, way.flush_delay = milliseconds(g.QueueTimeout), milliseconds(g.ResponseFlushDelay)
	way.response_buffer = C.size_t(cmp.Or(g.ResponseBufferSize, defaultResponseBuffer))
	way.header_buffer = C.size_t(cmp.Or(g.HeaderBufferSize, defaultHeaderBuffer))
	way.send_buffer, way.receive_buffer = C.int(g.SendBufferSize), C.int(g.ReceiveBufferSize)
	c.buffer_size, c.buffer_memory, c.request_buffer = C.int64_t(g.BufferSize), C.int64_t(g.BufferMemory), C.int64_t(g.RequestBuffer)
	c.buffer_directory = C.CString(g.BufferDirectory)
	c.response_timeout = milliseconds(cmp.Or(g.ResponseSocketTimeout, g.SocketTimeout))
	switch {
	case g.ScriptUser != "":
		c.owner_kind, c.owner = C.MW_OWNER_USER, C.uint32_t(accounts.ScriptUser)
	case g.ScriptGroup != "":
		c.owner_kind, c.owner = C.MW_OWNER_GROUP, C.uint32_t(accounts.ScriptGroup)
	}
}

func milliseconds(d time.Duration) C.int64_t { return C.int64_t(d.Milliseconds()) }
