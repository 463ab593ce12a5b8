package main

import "slices"

// sample is one run of redis-benchmark against one server.
type sample struct {
	requests   int
	seconds    float64 // wall time as redis-benchmark measured it
	cpuSeconds float64 // user and system time of the server process
}

func (s sample) rate() float64      { return float64(s.requests) / s.seconds }
func (s sample) cpuMicros() float64 { return s.cpuSeconds * 1e6 / float64(s.requests) }

func each(list []sample, f func(sample) float64) []float64 {
	out := make([]float64, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}

// medianRatio returns the median over rounds of a's figure over b's.
func medianRatio(a, b []sample, f func(sample) float64) float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = f(a[i]) / f(b[i])
	}
	return median(out)
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
