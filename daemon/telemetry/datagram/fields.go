package datagram

// A Field is the number of a field. docs/telemetry.md has the same list, and a test compares the two.
type Field uint16

const (
	// Identity.
	ModWSGIVersion   Field = 1
	PythonVersion    Field = 2
	ApacheVersion    Field = 3
	MPMName          Field = 4
	Hostname         Field = 5
	ProcessGroup     Field = 6
	ProcessParentPID Field = 7
	InterpreterName  Field = 8

	// Settings of the reporter.
	TelemetryInterval     Field = 10
	SlowRequestsThreshold Field = 11
	SwitchInterval        Field = 12

	// Rates.
	SamplePeriod        Field = 20
	RequestCount        Field = 21
	RequestThroughput   Field = 22
	CapacityUtilization Field = 23

	// Processor and memory. 33 to 35 are kept for cpu_user_time, cpu_system_time and cpu_time, which are not sent.
	CPUUserUtilization   Field = 30
	CPUSystemUtilization Field = 31
	CPUUtilization       Field = 32
	MemoryRSS            Field = 40
	MemoryMaxRSS         Field = 41

	// Threads.
	ThreadsMaximum Field = 50
	ThreadsStarted Field = 51
	ThreadsActive  Field = 52

	// Phases: each of these four plus the number of the phase.
	PhaseTime    Field = 60
	PhaseMinimum Field = 70
	PhaseMaximum Field = 80
	PhaseBuckets Field = 90

	// Bodies.
	InputBytesTotal   Field = 100
	OutputBytesTotal  Field = 101
	InputReadsTotal   Field = 102
	OutputWritesTotal Field = 103

	// Arrays by thread.
	ThreadsCompleted      Field = 110
	ThreadsBusyTime       Field = 111
	ThreadsCPUTime        Field = 112
	ThreadsCurrentElapsed Field = 113
	ThreadsMaxDuration    Field = 114

	// Responses: plus 0 for 1xx to 4 for 5xx.
	StatusTotal Field = 120

	// The life of a process.
	Reason                   Field = 130
	ActiveRequestsAtDecision Field = 131
	ProcessUptime            Field = 132
	LifetimeRequestCount     Field = 133
	ActiveRequestsAtExit     Field = 134
	GracefulDrain            Field = 135

	// Slow requests.
	SlowState              Field = 200
	SlowStartStamp         Field = 201
	SlowDuration           Field = 202
	SlowThreadID           Field = 203
	SlowServerPID          Field = 204
	SlowLogID              Field = 205
	SlowMethod             Field = 210
	SlowScheme             Field = 211
	SlowHostname           Field = 212
	SlowScriptName         Field = 213
	SlowPathInfo           Field = 214
	SlowProtocol           Field = 215
	SlowPeerIP             Field = 216
	SlowUserAgent          Field = 217
	SlowServerTime         Field = 220
	SlowQueueTime          Field = 221
	SlowDaemonTime         Field = 222
	SlowApplicationTime    Field = 223
	SlowGILWaitTime        Field = 230
	SlowGILWaitCount       Field = 231
	SlowInputBytes         Field = 240
	SlowOutputBytes        Field = 241
	SlowInputReads         Field = 242
	SlowOutputWrites       Field = 243
	SlowInputReadTime      Field = 244
	SlowOutputWriteTime    Field = 245
	SlowStatus             Field = 250
	SlowCPUUserTime        Field = 260
	SlowCPUSystemTime      Field = 261
	SlowActiveAtStart      Field = 270
	SlowActiveAtCompletion Field = 271

	// Garbage collectors: plus the generation, 0 to 2, for the first five.
	GCCount              Field = 300
	GCThreshold          Field = 303
	GCCollections        Field = 306
	GCCollected          Field = 309
	GCUncollectable      Field = 312
	GCEnabled            Field = 315
	GCFrozen             Field = 316
	GCDroppedEvents      Field = 317
	GCEventStart         Field = 320
	GCEventDuration      Field = 321
	GCEventGeneration    Field = 322
	GCEventCollected     Field = 323
	GCEventUncollectable Field = 324
)

// Numbers of the phases of a request.
const (
	Server = iota
	Queue
	Daemon
	Application
	Request
	GILWait
	InputRead
	OutputWrite
	Phases
)
