package module

/*
#include "edge.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unsafe"

	"modwsgi/directives"
)

// localPlans are the plans in which .htaccess files have a part, by the content of these files: the C edge can't know whether it has met
// the same ones before.
type localPlans struct {
	mu    sync.Mutex
	plans map[string]*C.mw_plan // guarded by mu
}

func (l *localPlans) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.plans = map[string]*C.mw_plan{}
}

// Plan compiles the settings of a request to an *mw_plan that is never freed: for a server, the leaves that apply in their order,
// and the directives of .htaccess files as an encoded recording (empty if there are none).
func Plan(server uint32, leaves []uint32, local []byte) (unsafe.Pointer, error) {
	if len(local) == 0 {
		plan, err := newPlan(server, leaves, nil)
		return unsafe.Pointer(plan), err
	}
	key := binary.LittleEndian.AppendUint32(nil, server)
	for _, leaf := range leaves {
		key = binary.LittleEndian.AppendUint32(key, leaf)
	}
	key = append(key, local...)
	l := &child.locals
	l.mu.Lock()
	defer l.mu.Unlock()
	if plan, ok := l.plans[string(key)]; ok {
		return unsafe.Pointer(plan), nil
	}
	recording, err := directives.Decode(local)
	if err != nil {
		return nil, fmt.Errorf("the directives of .htaccess can't be read: %w", err)
	}
	plan, err := newPlan(server, leaves, recording.Records)
	if err == nil {
		l.plans[string(key)] = plan
	}
	return unsafe.Pointer(plan), err
}

func newPlan(server uint32, leaves []uint32, local []directives.Record) (*C.mw_plan, error) {
	settings, err := child.config.Settings(int(server), leaves, local)
	if err != nil {
		return nil, err
	}
	plan := allocate[C.mw_plan](1)
	compilePlan(plan, settings)
	return plan, nil
}

// LocalDirective checks one directive of an .htaccess file: the error says what is wrong with it.
func LocalDirective(directive uint32, args string) error {
	return directives.ParseLocal(directives.Record{
		Directive: int(directive), Args: args, Context: directives.InHtaccess | directives.InDirectory,
	})
}
