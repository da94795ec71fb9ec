// Package fate says why a daemon process ended, or could not be started: what the supervisor writes on the board as numbers, and the words
// that the error log has for them, in the supervisor's record of the process and in that of each request that was lost with it.
package fate
