package integration

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// pause is how long a slow client waits between its pieces.
const pause = 30 * time.Millisecond

func itoa(n int) string { return strconv.Itoa(n) }

func longText(n int) string { return strings.Repeat("x", n) }

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}
