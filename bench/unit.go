package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"syscall"
	"time"
)

// units are the yardsticks of this machine at this moment, CPU time each: one
// raw P-256 signature and one raw P-256 verification over a SHA-256 of a
// token-sized input. The machine drifts, so they are taken again beside every
// figure.
type units struct{ sign, verify time.Duration }

// threadCPU is the CPU time of the calling thread.
func threadCPU() time.Duration {
	var u syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thread, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measureUnits spends about the given CPU time on each unit.
func measureUnits(spend time.Duration) units {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	input := make([]byte, 480)
	digest := sha256.Sum256(input)
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		panic(err)
	}
	return units{
		sign: perOp(spend, func() {
			d := sha256.Sum256(input)
			if _, err := ecdsa.SignASN1(rand.Reader, key, d[:]); err != nil {
				panic(err)
			}
		}),
		verify: perOp(spend, func() {
			d := sha256.Sum256(input)
			if !ecdsa.VerifyASN1(&key.PublicKey, d[:], sig) {
				panic("a good signature does not verify")
			}
		}),
	}
}

// perOp is the CPU time of one call, over as many calls as fit into spend.
func perOp(spend time.Duration, op func()) time.Duration {
	n := 0
	start := threadCPU()
	for {
		for range 50 {
			op()
		}
		n += 50
		if used := threadCPU() - start; used >= spend {
			return used / time.Duration(n)
		}
	}
}
