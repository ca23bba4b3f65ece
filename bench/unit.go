package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// units are the yardsticks of this machine at this moment, CPU time each: one
// raw P-256 signature and one raw P-256 verification over a SHA-256 of a
// token-sized input. The machine drifts, so they are taken in the same seconds
// as every figure.
type units struct{ sign, verify time.Duration }

// tokenSize is about the length of what is signed of a token, in octets.
const tokenSize = 480

// CPU clocks of Linux. getrusage is not used: of a thread it tells only what
// was counted up to the last tick, which is too coarse for a burst.
const (
	processClock = 2 // CLOCK_PROCESS_CPUTIME_ID
	threadClock  = 3 // CLOCK_THREAD_CPUTIME_ID
)

// threadCPU is the CPU time of the calling thread.
func threadCPU() time.Duration { return clock(threadClock) }

// ownCPU is the CPU time of this process, its garbage collector included.
func ownCPU() time.Duration { return clock(processClock) }

func clock(id uintptr) time.Duration {
	var t syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(errno)
	}
	return time.Duration(t.Nano())
}

// rawUnits gives one s and one v.
func rawUnits() (sign, verify func()) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	input := make([]byte, tokenSize)
	digest := sha256.Sum256(input)
	sig := must(ecdsa.SignASN1(rand.Reader, key, digest[:]))
	sign = func() {
		d := sha256.Sum256(input)
		must(ecdsa.SignASN1(rand.Reader, key, d[:]))
	}
	verify = func() {
		d := sha256.Sum256(input)
		if !ecdsa.VerifyASN1(&key.PublicKey, d[:], sig) {
			panic("a good signature does not verify")
		}
	}
	return sign, verify
}

// must is for what fails only when the program is wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// measureUnits spends about the given CPU time on each unit.
func measureUnits(spend time.Duration) units {
	sampler := newSampler()
	for sampler.signing < spend || sampler.verifying < spend {
		sampler.burst()
	}
	return sampler.units()
}

// sampler measures the units in short bursts.
type sampler struct {
	sign, verify       func()
	n                  int
	signing, verifying time.Duration // CPU of n calls each
}

func newSampler() *sampler {
	sign, verify := rawUnits()
	return &sampler{sign: sign, verify: verify}
}

// burst measures both units on this thread. The first call of each brings code
// and tables into the cache and is not counted.
func (s *sampler) burst() {
	const calls = 20
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, unit := range []struct {
		op   func()
		into *time.Duration
	}{{s.sign, &s.signing}, {s.verify, &s.verifying}} {
		unit.op()
		start := threadCPU()
		for range calls {
			unit.op()
		}
		*unit.into += threadCPU() - start
	}
	s.n += calls
}

func (s *sampler) units() units {
	return units{s.signing / time.Duration(s.n), s.verifying / time.Duration(s.n)}
}

// beside measures the units while f runs, in the same seconds: what the other
// core does changes the pace of this one. It takes a few hundredths of a core.
func beside(f func() error) (units, error) {
	const pause = 80 * time.Millisecond
	sampler, stop, done := newSampler(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			sampler.burst()
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
		}
	}()
	err := f()
	close(stop)
	<-done
	return sampler.units(), err
}

// compared is what one call of full takes in calls of raw.
type compared struct {
	ratio                 float64
	raw, full             time.Duration
	rawAllocs, fullAllocs float64
}

// compare runs raw and full in this process in turns, a few of each at a time,
// so that both meet the same machine, and gives the median of n rounds of the
// given CPU time. What the garbage collector takes is counted.
func compare(n int, spend time.Duration, raw, full func()) compared {
	const batch = 20
	raw()
	full()
	var ratios, raws, fulls []float64
	for range n {
		var rawTime, fullTime time.Duration
		calls := 0
		for rawTime+fullTime < spend {
			start := ownCPU()
			for range batch {
				raw()
			}
			between := ownCPU()
			for range batch {
				full()
			}
			end := ownCPU()
			rawTime += between - start
			fullTime += end - between
			calls += batch
		}
		ratios = append(ratios, float64(fullTime)/float64(rawTime))
		raws = append(raws, float64(rawTime)/float64(calls))
		fulls = append(fulls, float64(fullTime)/float64(calls))
	}
	return compared{
		ratio: middle(ratios), raw: time.Duration(middle(raws)), full: time.Duration(middle(fulls)),
		rawAllocs: allocations(raw), fullAllocs: allocations(full),
	}
}

// allocations is how often one call allocates.
func allocations(f func()) float64 {
	const n = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / n)
}
