// Package life decides when a daemon process is to be replaced, when it ends, and which of its requests are interrupted. It has no effects and no
// clock: a Machine is told what happened and what the process looks like, and answers with Actions.
//
// A process goes through at most four phases, in this order:
//
//  1. Serving.
//  2. Due: it has asked for a successor, and serves until that is ready.
//  3. Retiring: it takes no more requests, and finishes those it has.
//  4. Ending: it is about to stop Python and to exit, whatever still runs.
package life
